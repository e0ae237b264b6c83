/** Sounds that are no words in any language: somebody listens, thinks or clears their throat, and wants nothing said to it. */
const SOUNDS = /^(m+|m+h+m*|h+m+|u+h+|u+h+u+h+|u+m+|e+r*m+|a+h+|a+h+a+|o+h+|e+h+)$/u;

/** Whether what was recognised is nothing but such sounds: “Mm-hmm.”, “Uh-huh, hm”. */
export function isBackchannel(text: string): boolean {
  const sounds = text
    .toLowerCase()
    .split(/[\s,.!?…]+/u)
    .map((sound) => sound.replace(/[^\p{L}]/gu, ''))
    .filter((sound) => sound !== '');
  return sounds.length > 0 && sounds.every((sound) => SOUNDS.test(sound));
}
