// The colours that were chosen, before the first paint.
(function () {
  let chosen = null;
  try {
    chosen = JSON.parse(localStorage.getItem("adminTheme") || "null");
  } catch (error) {
    chosen = null;
  }
  const isDark =
    chosen === "dark" ||
    (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
})();
