import type { BindSource } from './tool-config.ts';
import type { BoundIdentity, JsonObject } from './types.ts';

export interface Binding {
  readonly sources: Readonly<Record<string, BindSource>>;
  readonly requireVerified: boolean;
}

export type BoundArguments =
  | { readonly ok: true; readonly values: JsonObject }
  | { readonly ok: false; readonly message: string };

/**
 * The values of bound arguments as the interaction knows them now. A customer's own claim of who they are
 * counts only where the row says so.
 */
export function readBoundArguments(binding: Binding, identity: BoundIdentity): BoundArguments {
  const values: JsonObject = {};
  for (const [argument, source] of Object.entries(binding.sources)) {
    const isCustomer = source.startsWith('customer.');
    const value = readSource(source, identity);
    if (value === null) {
      return {
        ok: false,
        message:
          'it needs the phone number of the customer, which is not known yet: ask for it and record it with record_phone_number.',
      };
    }
    if (
      isCustomer &&
      binding.requireVerified &&
      identity.phoneSource !== 'sip' &&
      identity.phoneSource !== 'verified'
    ) {
      return {
        ok: false,
        message: 'it needs a verified phone number, and the number of this customer is only what they said.',
      };
    }
    values[argument] = value;
  }
  return { ok: true, values };
}

function readSource(source: BindSource, identity: BoundIdentity): string | null {
  switch (source) {
    case 'customer.phone_number':
      return identity.phoneNumber;
    case 'customer.id':
      return identity.customerId;
    case 'business.id':
      return identity.businessId;
    case 'interaction.id':
      return identity.interactionId;
  }
}
