// Runs before the page's own scripts in every document, in a world of its own. STORED is replaced.
{
  const stored = STORED[location.origin] || [];
  try {
    for (const [name, value] of stored) {
      if (localStorage.getItem(name) === null) localStorage.setItem(name, value);
    }
  } catch (error) {
    // A document without a storage, such as one of a sandboxed frame.
  }
}
