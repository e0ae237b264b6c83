import { type DefaultTreeAdapterTypes, parse } from 'parse5';
import type { Block, ReadDocument } from './block.ts';

type Node = DefaultTreeAdapterTypes.Node;
type Element = DefaultTreeAdapterTypes.Element;

/** Nothing a person reads, or the same on every page of a site. */
const SKIPPED = new Set([
  'script',
  'style',
  'noscript',
  'template',
  'svg',
  'head',
  'nav',
  'header',
  'footer',
  'aside',
  'form',
  'button',
  'iframe',
]);
const BREAKS = new Set([
  'address',
  'article',
  'blockquote',
  'body',
  'br',
  'dd',
  'details',
  'div',
  'dl',
  'dt',
  'figure',
  'figcaption',
  'hr',
  'html',
  'li',
  'main',
  'ol',
  'p',
  'pre',
  'section',
  'summary',
  'table',
  'tbody',
  'thead',
  'tr',
  'ul',
]);

/** Headings and text of a page, without what surrounds its content. */
export function readHtml(text: string): ReadDocument {
  const root = parse(text);
  const blocks: Block[] = [];
  let line = '';
  const flush = () => {
    const text = tidy(line);
    line = '';
    if (text !== '') blocks.push({ kind: 'text', text });
  };
  const visit = (node: Node): void => {
    if (node.nodeName === '#text') line += (node as DefaultTreeAdapterTypes.TextNode).value;
    if (!('childNodes' in node)) return;
    const name = node.nodeName;
    if (SKIPPED.has(name) && !(name === 'header' && isInContent(node as Element))) return;
    const level = /^h([1-6])$/.exec(name)?.[1];
    if (level !== undefined) {
      flush();
      const heading = tidy(textOf(node));
      if (heading !== '') blocks.push({ kind: 'heading', level: Number(level), text: heading });
      return;
    }
    const breaks = BREAKS.has(name);
    if (breaks) flush();
    if (name === 'li') line += '- ';
    for (const child of node.childNodes) visit(child);
    // Cells of a row stay on its line.
    if (name === 'td' || name === 'th') line += ' | ';
    if (breaks) flush();
  };
  visit(root);
  flush();
  return { title: titleOf(root), blocks };
}

/** A header of an article belongs to it; the header of a page does not. */
function isInContent(element: Element): boolean {
  for (let node = element.parentNode; node && 'parentNode' in node; node = node.parentNode) {
    if (node.nodeName === 'article' || node.nodeName === 'main') return true;
  }
  return false;
}

function titleOf(root: Node): string | undefined {
  const found = find(root, 'title') ?? find(root, 'h1');
  const title = found === undefined ? '' : tidy(textOf(found));
  return title === '' ? undefined : title;
}

function find(node: Node, name: string): Node | undefined {
  if (node.nodeName === name) return node;
  if (!('childNodes' in node)) return undefined;
  for (const child of node.childNodes) {
    const found = find(child, name);
    if (found) return found;
  }
  return undefined;
}

function textOf(node: Node): string {
  if (node.nodeName === '#text') return (node as DefaultTreeAdapterTypes.TextNode).value;
  return 'childNodes' in node ? node.childNodes.map(textOf).join('') : '';
}

function tidy(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replace(/( \|)+ ?$/, '')
    .replace(/^- $/, '')
    .trim();
}
