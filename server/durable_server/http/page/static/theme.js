// The theme, set before anything is painted: the only script that is not a module, because modules wait for
// the document. Without a choice of the user the style sheet follows the system's preference.
{
  const chosen = localStorage.getItem("durable.theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
}
