import { expect, test } from 'vitest';
import { runConformance } from '../../scripts/conformance.ts';

test('every client scenario that MCP 2025-11-25 requires passes through our tool layer', async () => {
  const required = (await runConformance('2025-11-25')).filter(({ isRequired }) => isRequired);
  expect(required.filter(({ failed }) => failed > 0)).toEqual([]);
  expect(required).toHaveLength(18);
}, 280_000);
