// Ticks on the files of a program, and how many are left. Kept by this browser, for exactly this version.

export function startViewed() {
  for (const part of document.querySelectorAll(".document")) {
    const files = [...part.querySelectorAll(".file")];
    if (files.length > 1) new Ticks(part, files).start();
  }
}

class Ticks {
  constructor(part, files) {
    this.files = files;
    this.key = `viewed-${part.dataset.sha256}`;
    this.viewed = new Set(JSON.parse(localStorage.getItem(this.key) ?? "[]"));
    this.count = document.createElement("p");
    this.count.className = "quiet";
    this.count.setAttribute("role", "status");
    files[0].before(this.count);
  }

  start() {
    for (const file of this.files) this.add(file);
    this.show();
  }

  add(file) {
    const path = file.querySelector("summary").firstChild.textContent.trim();
    const label = document.createElement("label");
    const box = document.createElement("input");
    label.className = "viewed";
    box.type = "checkbox";
    box.checked = this.viewed.has(path);
    box.setAttribute("aria-label", `Viewed: ${path}`);
    label.append(box, "Viewed");
    file.before(label);
    box.addEventListener("change", () => {
      this.viewed[box.checked ? "add" : "delete"](path);
      file.open = !box.checked;
      localStorage.setItem(this.key, JSON.stringify([...this.viewed]));
      this.show();
    });
  }

  show() {
    this.count.textContent = `${this.viewed.size} of ${this.files.length} files viewed.`;
  }
}
