// Waits until the page has its size, and then for REFRESHES of its pictures.
new Promise((done) => {
  const refreshes = (left) => left > 0 ? requestAnimationFrame(() => refreshes(left - 1)) : done();
  const look = () => innerWidth === WIDTH && innerHeight === HEIGHT ? refreshes(REFRESHES) : requestAnimationFrame(look);
  look();
})
