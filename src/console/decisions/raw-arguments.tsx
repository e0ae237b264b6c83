/** Exactly what would run, as the model asked for it: never interpreted, always text. */
export function RawArguments({ value, label }: { readonly value: unknown; readonly label: string }) {
  return (
    <figure className="raw">
      <figcaption className="label">{label}</figcaption>
      {/* Long ones scroll, which has to work with the keyboard too. */}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must take the focus */}
      <pre tabIndex={0}>{JSON.stringify(value, null, 2)}</pre>
    </figure>
  );
}
