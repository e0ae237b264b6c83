const DESCRIPTION = `Interactions of customers with agents, and what supervisors see and decide.

Customers' routes take the publishable key in the header \`apikey\`; all others a Supabase Auth access token
as a bearer token, and show exactly what that person may see. Errors are problem documents (RFC 9457) with a
stable \`code\`.`;

/** The head of the document at `/openapi.json`. */
export const API_DOCUMENT = {
  openapi: '3.1.0',
  info: { title: 'Floorwalker', version: '1.0.0', description: DESCRIPTION },
};
