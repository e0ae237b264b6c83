import { chooseBusiness, phone } from './results.ts';

/** Whose data a call is about. What belongs to any other number is not found. */
export interface Customer {
  readonly businessId: string;
  /** E.164. */
  readonly phone: string;
}

/** As the database's functions name them. */
export function who({ businessId, phone }: Customer) {
  return { p_business_id: businessId, p_phone: phone };
}

/** The arguments by which the tools of a server know their customer, and whom they name; see `chooseBusiness`. */
export function chooseCustomer(businessId: string) {
  const business = chooseBusiness(businessId);
  return {
    business,
    identity: { ...business.input, customer_phone: phone },
    customerOf: (args: { customer_phone: string }): Customer => ({
      businessId: business.of(args),
      phone: args.customer_phone,
    }),
  };
}
