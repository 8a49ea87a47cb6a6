// Runs before the page's own scripts in every document; the functions are for the top frame. BINDING
// and DONE are replaced by names that a page cannot guess.
(() => {
  const put = (name, value) => Object.defineProperty(window, name, { value, configurable: true, writable: true });
  // A dialog would lie over the page until it is answered from outside: the person says yes at once.
  put('alert', () => undefined);
  put('confirm', () => true);
  put('prompt', (message, preset = '') => String(preset));
  put('print', () => undefined);
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
    put(name, call);
  };
  ['startRecord', 'pauseRecord', 'resumeRecord', 'refreshPage'].forEach(offer);
})();
