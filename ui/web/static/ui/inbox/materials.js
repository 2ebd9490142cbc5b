// The agent's materials are read beside the request; without this the link leads to their own page.
for (const link of document.querySelectorAll("[data-reads]")) {
  const place = document.createElement("div");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  button.textContent = "Read here";
  button.setAttribute("aria-expanded", "false");
  button.setAttribute("aria-label", `Read here: ${link.textContent}`);
  place.className = "read-here";
  place.hidden = true;
  place.tabIndex = 0;
  link.parentElement.append(" ", button, place);
  button.addEventListener("click", async () => {
    if (!place.childElementCount) {
      const answer = await fetch(link.href);
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      place.replaceChildren(page.querySelector(".reading"));
    }
    place.hidden = !place.hidden;
    button.setAttribute("aria-expanded", String(!place.hidden));
  });
}
