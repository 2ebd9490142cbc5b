// A long lineage opens at the version that was asked for.
const drawing = document.querySelector(".lineage");
const box = drawing.querySelector(".root rect");
drawing.scrollLeft = box.x.baseVal.value - (drawing.clientWidth - box.width.baseVal.value) / 2;
