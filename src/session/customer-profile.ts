import type { BoundIdentity } from '../tools/types.ts';
import type { Claim, PhoneSource } from './claim.ts';

/** Who the customer is, as far as it is known; read anew at each tool call, because it may become known late. */
export class CustomerProfile implements BoundIdentity {
  readonly businessId: string;
  readonly interactionId: string;
  readonly name: string | null;
  #customerId: string | null;
  #phoneNumber: string | null;
  #phoneSource: PhoneSource | null;

  constructor(claim: Claim) {
    this.businessId = claim.business.id;
    this.interactionId = claim.interactionId;
    this.name = claim.customerName;
    this.#customerId = claim.customerId;
    this.#phoneNumber = claim.phoneNumber;
    this.#phoneSource = claim.phoneSource;
  }

  get customerId(): string | null {
    return this.#customerId;
  }

  get phoneNumber(): string | null {
    return this.#phoneNumber;
  }

  get phoneSource(): PhoneSource | null {
    return this.#phoneSource;
  }

  /** What the customer says of themselves never replaces what the network or a check vouched for. */
  get phoneIsVouchedFor(): boolean {
    return this.#phoneSource === 'sip' || this.#phoneSource === 'verified';
  }

  learn(phoneNumber: string, source: PhoneSource, customerId: string | null): void {
    this.#phoneNumber = phoneNumber;
    this.#phoneSource = source;
    this.#customerId = customerId;
  }
}
