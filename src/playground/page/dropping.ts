/** Says `prompt` over the page while something is dragged there, and gives what is dropped; unless it is not `wanted` now. */
export function onDrop(prompt: string, dropped: (transfer: DataTransfer) => void, wanted = () => true): void {
  const { body } = document;
  document.addEventListener("dragover", (event) => {
    if (!wanted()) return;
    event.preventDefault();
    body.dataset.drop = prompt;
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) delete body.dataset.drop;
  });
  document.addEventListener("drop", (event) => {
    if (!wanted()) return;
    event.preventDefault();
    delete body.dataset.drop;
    if (event.dataTransfer) dropped(event.dataTransfer);
  });
}
