// Dark or light before anything is painted: the one script that is not a module, because modules wait
// for the document. Without a choice of the reader the system's preference holds, in the style sheet.
{
  const chosen = localStorage.getItem("durable.theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
}
