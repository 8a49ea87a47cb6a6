// Runs before the page's own scripts in every document: the top one keeps the title it is given.
(() => {
  if (window !== window.top) return;
  const keep = () => { if (document.title !== 'TITLE') document.title = 'TITLE'; };
  document.addEventListener('DOMContentLoaded', () => {
    keep();
    if (document.head) new MutationObserver(keep).observe(document.head, { childList: true, characterData: true, subtree: true });
  });
})();
