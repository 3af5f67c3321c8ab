"use strict";
// Copy buttons: a button copies the text of the code element beside it.
document.addEventListener("click", async event => {
  const button = event.target.closest && event.target.closest("button.copy");
  if (!button) return;
  const text = button.parentElement.querySelector("code").textContent;
  let copied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch (error) {  // no secure context, or not allowed
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    copied = document.execCommand("copy");
    area.remove();
    button.focus();
  }
  const status = document.getElementById("status");
  button.textContent = copied ? "copied" : "failed";
  if (status) status.textContent = copied ? "copied to the clipboard" : "the browser does not allow copying";
  setTimeout(() => { button.textContent = "copy"; if (status) status.textContent = ""; }, 1500);
});
