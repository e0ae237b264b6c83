type Child = Node | string | undefined;
type Listeners = { readonly [K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void };

export interface Attributes {
  readonly class?: string;
  readonly on?: Listeners;
  readonly [name: string]: string | boolean | number | undefined | Listeners;
}

/** An element with its attributes, listeners and children. Strings become text, never markup. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false || typeof value === 'object') continue;
    node.setAttribute(name, value === true ? '' : String(value));
  }
  for (const [type, listener] of Object.entries(attributes.on ?? {})) {
    node.addEventListener(type, listener as EventListener);
  }
  node.append(...children.filter((child) => child !== undefined));
  return node;
}

/** Changes text only where it differs, so that a screen reader is told of nothing twice. */
export function setText(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}
