import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig, type InlineConfig } from 'vite';

/** Where each page's source is. A page is a build of its own: a shop's visitors load nothing of the console. */
export const PAGES = {
  console: 'src/console',
  try: 'src/customer-page/try',
  widget: 'src/customer-page/widget',
} as const;

const isPage = (name: string): name is keyof typeof PAGES => Object.hasOwn(PAGES, name);
const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/**
 * The script that a shop's page loads is one file without imports under a name that stays: the tag that names it is
 * in other people's pages.
 */
export const WIDGET_LOADER = {
  configFile: false,
  logLevel: 'warn',
  build: {
    outDir: at('dist/pages/widget'),
    emptyOutDir: false,
    target: 'es2022',
    reportCompressedSize: false,
    lib: {
      entry: at('src/customer-page/widget/loader.ts'),
      formats: ['iife'],
      name: 'floorwalkerWidget',
      fileName: () => 'widget.js',
    },
  },
} as const satisfies InlineConfig;

/** `vite build --mode console`: the mode names the page. `npm run build:pages` builds all of them. */
export default defineConfig(({ mode }) => {
  if (!isPage(mode)) throw new Error(`--mode must be one of ${Object.keys(PAGES).join(', ')}`);
  return {
    root: at(PAGES[mode]),
    base: `/${mode}/`,
    plugins: [react()],
    define: { 'process.env.NODE_ENV': '"production"' },
    build: {
      outDir: at(`dist/pages/${mode}`),
      emptyOutDir: true,
      target: 'es2022',
      // Everything is a file of our own origin: the pages' policy allows neither inline scripts nor data addresses.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      sourcemap: false,
      reportCompressedSize: false,
      chunkSizeWarningLimit: 900,
    },
  };
});
