// Waits until the page has its size, and then for REFRESHES of its pictures; not for ever.
new Promise((done) => {
  const refreshes = (left) => left > 0 ? requestAnimationFrame(() => refreshes(left - 1)) : done();
  const look = (left) => innerWidth === WIDTH && innerHeight === HEIGHT || left === 0
    ? refreshes(REFRESHES)
    : requestAnimationFrame(() => look(left - 1));
  look(100);
})
