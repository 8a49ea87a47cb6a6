// Runs before the page's own scripts in every document of the top frame. BINDING and DONE are
// replaced by names that a page cannot guess.
(() => {
  if (window !== window.top) return;
  const tell = window['BINDING'];
  delete window['BINDING'];
  if (typeof tell !== 'function') return;
  const waiting = new Map();
  let last = 0;
  Object.defineProperty(window, 'DONE', {
    value: (id) => { const resolve = waiting.get(id); waiting.delete(id); if (resolve) resolve(); },
  });
  const offer = (name) => {
    const call = (callback) => {
      const id = ++last;
      const done = new Promise((resolve) => waiting.set(id, resolve));
      tell(JSON.stringify({ name, id }));
      return typeof callback === 'function' ? done.then(() => { callback(); }) : done;
    };
    Object.defineProperty(window, name, { value: call, configurable: true, writable: true });
  };
  ['startRecord', 'pauseRecord', 'resumeRecord', 'refreshPage'].forEach(offer);
})();
