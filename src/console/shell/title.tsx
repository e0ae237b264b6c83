import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react';

interface Titles {
  readonly title: string;
  readonly setTitle: (title: string) => void;
}

const TitleContext = createContext<Titles>({ title: '', setTitle: () => {} });

/** The page's own name for what it shows, in the bar and in the tab. */
export function useTitle(title: string): void {
  const { setTitle } = useContext(TitleContext);
  useEffect(() => setTitle(title), [setTitle, title]);
}

export function useCurrentTitle(): string {
  return useContext(TitleContext).title;
}

export function TitleProvider({ children }: { readonly children: ReactNode }) {
  const [title, setTitle] = useState('');
  const titles = useMemo(() => ({ title, setTitle }), [title]);
  return <TitleContext value={titles}>{children}</TitleContext>;
}
