// What scripts show of others' texts; pages come from the server with it done (core/text.py).

const INVISIBLE =
  /(?![\n\r\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800\ufffe\uffff]/gu;
// Emoji are held together by what is invisible elsewhere.
const JOINING = /(?<=\p{Emoji_Presentation}|\p{Extended_Pictographic})(?:\ufe0f?\u200d(?=\p{Extended_Pictographic})|\ufe0f)/gu;
const ESCAPE = /‹U\+([0-9A-F]{4,6})›/g;

export function visible(text) {
  const kept = new Set();
  for (const match of String(text).matchAll(JOINING)) {
    for (let place = 0; place < match[0].length; place += 1) kept.add(match.index + place);
  }
  return String(text).replace(INVISIBLE, (letter, place) =>
    kept.has(place) ? letter : `‹U+${letter.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}›`,
  );
}

// What was escaped in a field becomes itself again, but only what its text had before.
export function restored(text, before) {
  return text.replace(ESCAPE, (name, code) => {
    const letter = String.fromCodePoint(Math.min(parseInt(code, 16), 0x10ffff));
    return String(before ?? "").includes(letter) ? letter : name;
  });
}
