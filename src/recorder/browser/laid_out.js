// Waits until the page has its size, then draws a mark and measures how long Chrome takes to show
// it (Element Timing): one refresh, or two when a page was late once while it loaded.
new Promise((done) => {
  let drawn = 0;
  const mark = document.createElement('p');
  const finish = (millis) => {
    mark.remove();
    requestAnimationFrame(() => requestAnimationFrame(() => done(millis)));
  };
  const measure = () => {
    new PerformanceObserver((list, observer) => {
      const shown = list.getEntries().find((entry) => entry.element === mark || entry.identifier === 'mark');
      if (!shown) return;
      observer.disconnect();
      finish(shown.renderTime - drawn);
    }).observe({ type: 'element' });
    mark.textContent = '.';
    mark.setAttribute('elementtiming', 'mark');
    mark.style.cssText = 'all:initial;position:fixed;left:0;top:0;font:8px sans-serif;color:#808080;z-index:2147483647';
    requestAnimationFrame(() => {
      drawn = performance.now();
      document.documentElement.append(mark);
    });
    setTimeout(() => finish(-1), 500);
  };
  const look = () => requestAnimationFrame(innerWidth === WIDTH && innerHeight === HEIGHT ? () => requestAnimationFrame(measure) : look);
  look();
})
