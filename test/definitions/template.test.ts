import { describe, expect, it } from 'vitest';
import { parseTemplate, renderLeniently } from '../../src/definitions/template.ts';

function render(source: string, values: Record<string, string>): string {
  const parsed = parseTemplate(source);
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  return parsed.template.render(values);
}

function problems(source: string): string[] {
  const parsed = parseTemplate(source);
  return parsed.ok ? [] : parsed.problems;
}

describe('a template', () => {
  it('puts in values and lists its variables once, in order', () => {
    const parsed = parseTemplate('{{b}} {{ a }} {{b}}');
    expect(parsed.ok && parsed.template.variables).toEqual(['b', 'a']);
    expect(render('{{b}} {{ a }} {{b}}', { a: '1', b: '2' })).toBe('2 1 2');
  });

  it('never reads a value as a template', () => {
    expect(render('{{said}}', { said: '{{secret}} $& $1', secret: 'no' })).toBe('{{secret}} $& $1');
  });

  it('shows a section only when its variable is filled, and the opposite one only when it is empty', () => {
    const source = 'a{{#name}} b {{name}}{{/name}}{{^name}} c{{/name}}';
    expect(render(source, { name: 'Ada' })).toBe('a b Ada');
    expect(render(source, { name: ' ' })).toBe('a c');
    expect(render(source, {})).toBe('a c');
  });

  it('nests sections', () => {
    const source = '{{#a}}1{{#b}}2{{/b}}3{{/a}}4';
    expect(render(source, { a: 'x', b: 'x' })).toBe('1234');
    expect(render(source, { a: 'x' })).toBe('134');
    expect(render(source, { b: 'x' })).toBe('4');
  });

  it('takes the line of a lone section mark away with the mark', () => {
    expect(render('- one\n{{#b}}\n- two\n{{/b}}\n- three\n', { b: '' })).toBe('- one\n- three');
    expect(render('- one\n{{#b}}\n- two\n{{/b}}\n- three\n', { b: 'x' })).toBe('- one\n- two\n- three');
  });

  it('does not fill a variable from an object prototype', () => {
    expect(render('[{{constructor}}]', {})).toBe('[]');
  });

  it('leaves JSON braces alone', () => {
    expect(render('{"tags": {"issues": [{"tag": 1}]}}', {})).toBe('{"tags": {"issues": [{"tag": 1}]}}');
  });

  it.each([
    ['{{Bad Name}}', /not a variable/],
    ['{{}}', /not a variable/],
    ['{{#a}} text', /never closed/],
    ['text {{/a}}', /not opened/],
    ['{{#a}}{{/b}}', /closes \{\{#a\}\}/],
    ['text {{a and so on', /never closes it/],
  ])('refuses %s', (source, message) => {
    expect(problems(source).join('\n')).toMatch(message);
  });

  it('reports all problems of a text together', () => {
    expect(problems('{{A}} {{#b}} {{B}}')).toHaveLength(3);
  });
});

describe('text from the database, rendered leniently', () => {
  it('leaves out an unknown variable and names it', () => {
    expect(renderLeniently('Hello {{nobody}}from {{business_name}}', { business_name: 'Shop' })).toEqual({
      text: 'Hello from Shop',
      problems: ['there is no variable {{nobody}}'],
    });
  });

  it('leaves out every mark of a broken text', () => {
    const { text, problems: found } = renderLeniently('Hello {{#a}}you', {});
    expect(text).toBe('Hello you');
    expect(found).toHaveLength(1);
  });
});
