import { describe, expect, it } from 'vitest';
import { isBackchannel } from '../../src/session/backchannel.ts';

describe('sounds of somebody who listens', () => {
  it.each(['Mhm.', 'mm-hmm', 'Uh-huh', 'Hmm', 'uh, uh', 'Ah! Oh.', 'Mm-hmm, mhm…'])(
    '%s is no turn',
    (text) => {
      expect(isBackchannel(text)).toBe(true);
    },
  );

  it.each(['Yes.', 'No', 'Stop', 'Mhm, but where is it?', 'Ham', 'Oh no', '', '42', 'はい'])(
    '%s is one',
    (text) => {
      expect(isBackchannel(text)).toBe(false);
    },
  );
});
