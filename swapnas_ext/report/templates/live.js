// The part that changes is asked for again and again, and keeps the focus.
const part = document.getElementById("live"), lost = document.getElementById("lost");
let tag = "";
async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch("/live", {cache: "no-store", headers: tag ? {"If-None-Match": tag} : {}});
      if (answer.status === 200) {
        tag = answer.headers.get("ETag") || "";
        const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
        const scrolled = [...part.querySelectorAll(".scroll")].map(element => element.scrollLeft);
        const open = [...part.querySelectorAll("tr[id] details[open]")].map(element => element.closest("tr").id);
        part.innerHTML = await answer.text();
        for (const id of open) {
          const folded = document.querySelector(`#${CSS.escape(id)} details`);
          if (folded) folded.open = true;
        }
        part.querySelectorAll(".scroll").forEach((element, place) => { element.scrollLeft = scrolled[place] || 0; });
        if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
      } else if (answer.status !== 304) throw new Error(answer.status);
      lost.hidden = true;
    } catch (error) { lost.hidden = false; }
  }
  setTimeout(refresh, 1500);
}
refresh();
