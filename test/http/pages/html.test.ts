import { describe, expect, it } from 'vitest'
import { html, markup, verbatim } from '../../../src/http/pages/html.ts'

describe('html()', () => {
  it('escapes whatever could end a text or a quoted attribute', () => {
    const hostile = `<script>alert("1")</script>&amp;'`
    expect(markup(html`<a title="${hostile}">${hostile}</a>`)).toBe(
      '<a title="&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;amp;&#39;">' +
        '&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;amp;&#39;</a>',
    )
  })

  it('takes its own results and lists of them as they are', () => {
    expect(markup(html`<ul>${['<a>', 'b'].map(item => html`<li>${item}</li>`)}</ul>`)).toBe(
      '<ul><li>&lt;a&gt;</li><li>b</li></ul>',
    )
  })

  it('leaves no trace of what is absent', () => {
    expect(markup(html`a${undefined}${false}${[]}${''}b`)).toBe('ab')
  })

  it('does not take markup from data, whatever its shape', () => {
    const forged = JSON.parse('{"markup": "<b>", "toString": "<b>"}')
    expect(() => markup(html`${forged}`)).toThrow(TypeError)
  })
})

describe('verbatim()', () => {
  it('passes a constant on unchanged', () => {
    expect(markup(html`<style>${verbatim('a > b { content: "&" }')}</style>`)).toContain(
      'a > b { content: "&" }',
    )
  })
})
