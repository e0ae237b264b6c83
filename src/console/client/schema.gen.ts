// Made by `npm run client` from the OpenAPI document; never edited.
export interface paths {
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The process is alive */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Alive */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Health"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The process reaches what it needs and takes requests */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Ready */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Readiness"];
                    };
                };
                /** @description Not ready; the checks say which part */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Readiness"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/interactions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Interactions this person may see, newest first */
        get: {
            parameters: {
                query?: {
                    /** @description One or several, separated by commas. */
                    status?: string;
                    agent_id?: string;
                    channel?: "chat" | "voice";
                    kind?: "live" | "rehearsal";
                    phone_number?: string;
                    /** @description Created at or after. */
                    from?: string;
                    /** @description Created before. */
                    to?: string;
                    limit?: number;
                    cursor?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A page */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["InteractionPage"];
                    };
                };
                /** @description The request does not have the form that is described here */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The key or token is missing, not valid or has expired */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Known, and not allowed */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something failed on our side; the log has the details under the request id */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The database or the media server can not be reached */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Begin a chat or a call with a public agent */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["CreateInteraction"];
                };
            };
            responses: {
                /** @description Waiting for the customer to join the room */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CreatedInteraction"];
                    };
                };
                /** @description The request does not have the form that is described here */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The key or token is missing, not valid or has expired */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Known, and not allowed */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not there, or not visible to this person */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The state it was meant for is over */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The body is not JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description A limit is reached; `retry-after` says when to try again */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something failed on our side; the log has the details under the request id */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The database or the media server can not be reached */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/interactions/{id}/rejoin": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Come back after a reload or a lost connection */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["RejoinInteraction"];
                };
            };
            responses: {
                /** @description A new token for the same place in the room */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RejoinedInteraction"];
                    };
                };
                /** @description The request does not have the form that is described here */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The key or token is missing, not valid or has expired */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Known, and not allowed */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not there, or not visible to this person */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The state it was meant for is over */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The body is not JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description A limit is reached; `retry-after` says when to try again */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something failed on our side; the log has the details under the request id */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The database or the media server can not be reached */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/interactions/{id}/rating": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Say how it was; counts more than any estimate */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["RateInteraction"];
                };
            };
            responses: {
                /** @description Kept */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description The request does not have the form that is described here */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The key or token is missing, not valid or has expired */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Known, and not allowed */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not there, or not visible to this person */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The state it was meant for is over */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The body is not JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something failed on our side; the log has the details under the request id */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The database or the media server can not be reached */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/interactions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One interaction with its archive, its newest metrics and what waits for a decision */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The interaction */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["InteractionDetail"];
                    };
                };
                /** @description The request does not have the form that is described here */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The key or token is missing, not valid or has expired */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Known, and not allowed */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not there, or not visible to this person */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something failed on our side; the log has the details under the request id */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The database or the media server can not be reached */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/interactions/{id}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The transcript, in the order of the conversation */
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    cursor?: string;
                };
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A page */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["MessagePage"];
                    };
                };
                /** @description The request does not have the form that is described here */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The key or token is missing, not valid or has expired */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Known, and not allowed */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not there, or not visible to this person */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something failed on our side; the log has the details under the request id */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The database or the media server can not be reached */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/interactions/{id}/steps": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The trace: model calls, tool calls, decisions */
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    cursor?: string;
                };
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A page */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["StepPage"];
                    };
                };
                /** @description The request does not have the form that is described here */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The key or token is missing, not valid or has expired */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Known, and not allowed */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not there, or not visible to this person */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something failed on our side; the log has the details under the request id */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The database or the media server can not be reached */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/interactions/{id}/end": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ask the agent to say goodbye and end */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    "application/json": components["schemas"]["EndInteraction"];
                };
            };
            responses: {
                /** @description Asked; the interaction ends shortly */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["EndRequested"];
                    };
                };
                /** @description The request does not have the form that is described here */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The key or token is missing, not valid or has expired */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Known, and not allowed */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not there, or not visible to this person */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The state it was meant for is over */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The body is not JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something failed on our side; the log has the details under the request id */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The database or the media server can not be reached */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/interactions/{id}/disposition": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The supervisor's own verdict and notes */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["SetDisposition"];
                };
            };
            responses: {
                /** @description Kept */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description The request does not have the form that is described here */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The key or token is missing, not valid or has expired */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Known, and not allowed */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not there, or not visible to this person */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The body is not JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something failed on our side; the log has the details under the request id */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The database or the media server can not be reached */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/floor": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How each open interaction went so far, and who spoke last */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description One a interaction */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Floor"];
                    };
                };
                /** @description The key or token is missing, not valid or has expired */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Known, and not allowed */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something failed on our side; the log has the details under the request id */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The database or the media server can not be reached */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/interactions/{id}/track": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How an open interaction went so far; of an ended one the archive has it */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Its measurements */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Track"];
                    };
                };
                /** @description The request does not have the form that is described here */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The key or token is missing, not valid or has expired */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Known, and not allowed */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not there, or not visible to this person */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something failed on our side; the log has the details under the request id */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The database or the media server can not be reached */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/interactions/{id}/tool-calls": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The tools that the agent called, in the order of asking */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The calls */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ToolCallList"];
                    };
                };
                /** @description The request does not have the form that is described here */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The key or token is missing, not valid or has expired */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Known, and not allowed */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not there, or not visible to this person */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something failed on our side; the log has the details under the request id */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The database or the media server can not be reached */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/permissions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Tool calls that wait for a decision, nearest deadline first */
        get: {
            parameters: {
                query?: {
                    status?: "pending" | "allowed" | "denied" | "timeout" | "withdrawn";
                    interaction_id?: string;
                    limit?: number;
                    cursor?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A page */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PermissionPage"];
                    };
                };
                /** @description The request does not have the form that is described here */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The key or token is missing, not valid or has expired */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Known, and not allowed */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something failed on our side; the log has the details under the request id */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The database or the media server can not be reached */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/permissions/{id}/decision": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Allow or deny a tool call; the first decision counts */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Decision"];
                };
            };
            responses: {
                /** @description Decided by this request */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Permission"];
                    };
                };
                /** @description The request does not have the form that is described here */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The key or token is missing, not valid or has expired */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Known, and not allowed */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not there, or not visible to this person */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The state it was meant for is over */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The body is not JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Well formed, but not acceptable */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something failed on our side; the log has the details under the request id */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The database or the media server can not be reached */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agents": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The agents this person supervises or covers; an admin sees all of the business */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The agents */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AgentList"];
                    };
                };
                /** @description The key or token is missing, not valid or has expired */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Known, and not allowed */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something failed on our side; the log has the details under the request id */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The database or the media server can not be reached */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/performance": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How supervisors and agents do, in the time zone of the business */
        get: {
            parameters: {
                query?: {
                    period?: "today" | "month";
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Own figures, for an admin those of everybody, and the leaderboard */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PerformanceReport"];
                    };
                };
                /** @description The request does not have the form that is described here */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The key or token is missing, not valid or has expired */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Known, and not allowed */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something failed on our side; the log has the details under the request id */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The database or the media server can not be reached */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/deletions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Receipts of deletions, newest first (admins) */
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    cursor?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A page */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DeletionReceiptPage"];
                    };
                };
                /** @description The request does not have the form that is described here */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The key or token is missing, not valid or has expired */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Known, and not allowed */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something failed on our side; the log has the details under the request id */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The database or the media server can not be reached */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Delete everything that names a customer, for good (admins) */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["DeletionSubject"];
                };
            };
            responses: {
                /** @description Deleted; the receipt */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["NewDeletionReceipt"];
                    };
                };
                /** @description The request does not have the form that is described here */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The key or token is missing, not valid or has expired */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Known, and not allowed */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not there, or not visible to this person */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The state it was meant for is over */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The body is not JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something failed on our side; the log has the details under the request id */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The database or the media server can not be reached */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        Health: {
            /** @enum {string} */
            status: "ok";
        };
        Readiness: {
            ready: boolean;
            checks: {
                /** @enum {string} */
                database: "ok" | "failed";
                /** @enum {string} */
                media: "ok" | "failed";
                draining: boolean;
            };
        };
        CreatedInteraction: {
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            interaction_id: string;
            room: string;
            /** @description The LiveKit server to connect to. */
            url: string;
            /** @description Joins that one room, within ten minutes. */
            token: string;
            /** @description Proof that the interaction is this customer’s; keep it as a secret. */
            resume_token: string;
        };
        Problem: {
            type: string;
            title: string;
            status: number;
            detail: string;
            /** @description Stable; see docs/errors.md. */
            code: string;
            remedy: string;
            request_id: string;
        } & {
            [key: string]: unknown;
        };
        CreateInteraction: {
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            agent_id: string;
            /** @enum {string} */
            channel: "chat" | "voice";
            /** @example +441632960123 */
            phone_number?: string;
        };
        RejoinedInteraction: {
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            interaction_id: string;
            room: string;
            /** @description The LiveKit server to connect to. */
            url: string;
            /** @description Joins that one room, within ten minutes. */
            token: string;
            /** @enum {string} */
            status: "queued" | "active" | "completed" | "failed";
            /** @enum {string} */
            channel: "chat" | "voice";
        };
        RejoinInteraction: {
            /** @description Proof that the interaction is this customer’s; keep it as a secret. */
            resume_token: string;
        };
        RateInteraction: {
            /** @description Proof that the interaction is this customer’s; keep it as a secret. */
            resume_token: string;
            score: number;
            comment?: string;
        };
        InteractionPage: {
            data: components["schemas"]["Interaction"][];
            next_cursor: string | null;
        };
        Interaction: {
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            id: string;
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            agent_id: string;
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            customer_id: string | null;
            /** @enum {string} */
            channel: "chat" | "voice";
            /** @enum {string} */
            kind: "live" | "rehearsal";
            /** @enum {string} */
            direction: "inbound" | "outbound";
            /** @enum {string} */
            status: "queued" | "active" | "completed" | "failed";
            room: string;
            phone_number: string | null;
            /** @enum {string|null} */
            phone_source: "claimed" | "sip" | "verified" | null;
            called_number: string | null;
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            queued_at: string | null;
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            answered_at: string | null;
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            started_at: string | null;
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            ended_at: string | null;
            duration_seconds: number | null;
            end_reason: string | null;
            /** @enum {string} */
            control: "agent" | "supervisor";
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            controlled_by: string | null;
            /** @description A tool call waits for a decision. */
            paused: boolean;
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            end_requested_at: string | null;
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            supervisor_requested_at: string | null;
            supervisor_request_reason: string | null;
            disposition: string | null;
            supervisor_notes: string | null;
            rating: number | null;
            rating_comment: string | null;
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            created_at: string;
        };
        InteractionDetail: components["schemas"]["Interaction"] & {
            archive: components["schemas"]["Archive"];
            metrics: components["schemas"]["Metrics"];
            /** @description Those that wait for a decision. */
            permissions: components["schemas"]["Permission"][];
        };
        Archive: {
            summary: string;
            /** @enum {string} */
            summary_source: "facts" | "model";
            /** @description A list of {issue, status, priority}. */
            issues?: unknown;
            /** @description {topics, sentiment, issues: [{tag, status}]} */
            tags?: unknown;
            csat_score: number | null;
            csat_source: string | null;
            resolution_time_seconds: number | null;
            fcr_status: boolean | null;
            metrics_series?: unknown;
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            created_at: string;
        } | null;
        /** @description The newest row while the interaction is open. */
        Metrics: {
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            timestamp: string;
            /** @enum {string} */
            sentiment: "good" | "neutral" | "critical";
            satisfaction_score: number;
            feed_text: string;
        } | null;
        Permission: {
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            id: string;
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            interaction_id: string;
            call_id: string;
            tool_name: string;
            /** @description In the words of the tool’s server. */
            tool_description: string | null;
            /** @description Exactly what would run. */
            arguments?: unknown;
            /** @enum {string} */
            status: "pending" | "allowed" | "denied" | "timeout" | "withdrawn";
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            requested_at: string;
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            expires_at: string;
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            responded_at: string | null;
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            decided_by: string | null;
            note: string | null;
            /** @description What runs instead, where the approver changed it. */
            edited_arguments?: unknown;
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            escalated_at: string | null;
        };
        MessagePage: {
            data: components["schemas"]["Message"][];
            next_cursor: string | null;
        };
        Message: {
            seq: number;
            item_id: string;
            /** @enum {string} */
            role: "customer" | "agent" | "supervisor" | "system";
            content: string;
            interrupted: boolean;
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            spoken_at: string | null;
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            created_at: string;
        };
        StepPage: {
            data: components["schemas"]["Step"][];
            next_cursor: string | null;
        };
        Step: {
            id: number;
            step_id: string;
            step_type: string;
            name: string | null;
            input?: unknown;
            output?: unknown;
            error?: unknown;
            duration_ms: number | null;
            model: string | null;
            tokens_input: number | null;
            tokens_output: number | null;
            characters: number | null;
            audio_seconds: number | null;
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            happened_at: string;
        };
        EndRequested: {
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            interaction_id: string;
            /** @enum {string} */
            status: "queued" | "active" | "completed" | "failed";
        };
        EndInteraction: {
            reason?: string;
        };
        SetDisposition: {
            disposition: string;
            notes?: string;
        };
        Floor: {
            data: components["schemas"]["Track"][];
        };
        Track: {
            /** Format: uuid */
            interaction_id: string;
            times: number[];
            scores: number[];
            sentiments: ("good" | "neutral" | "critical")[];
            /** @enum {string|null} */
            sentiment: "good" | "neutral" | "critical" | null;
            satisfaction_score: number | null;
            feed_text: string | null;
            /** @enum {string|null} */
            last_role: "customer" | "agent" | "supervisor" | null;
            last_spoken_at: string | null;
        };
        ToolCallList: {
            data: components["schemas"]["ToolCall"][];
        };
        ToolCall: {
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            id: string;
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            interaction_id: string;
            call_id: string;
            tool_name: string;
            /** @description As the model asked for it. */
            arguments?: unknown;
            /** @enum {string} */
            state: "requested" | "awaiting_permission" | "running" | "succeeded" | "failed" | "refused" | "unknown";
            /** @enum {string|null} */
            refusal_reason: "denied" | "timeout" | "withdrawn" | "policy" | null;
            /** @description What the model was told. */
            output: string | null;
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            requested_at: string;
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            started_at: string | null;
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            finished_at: string | null;
        };
        PermissionPage: {
            data: components["schemas"]["Permission"][];
            next_cursor: string | null;
        };
        Decision: {
            /** @enum {string} */
            decision: "allowed" | "denied";
            /** @description The agent is told a denial’s note. */
            note?: string;
            /** @description Runs instead of what was asked for; only with "allowed". */
            arguments?: {
                [key: string]: unknown;
            };
        };
        AgentList: {
            data: components["schemas"]["Agent"][];
        };
        Agent: {
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            id: string;
            name: string;
            slug: string;
            /** @enum {string} */
            agent_type: "chat" | "voice";
            /** @enum {string} */
            status: "idle" | "in_call" | "in_chat" | "paused";
            public: boolean;
            language: string;
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            supervisor_id: string;
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            cover_id: string | null;
            max_concurrent_interactions: number;
            version: number;
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            updated_at: string;
        };
        PerformanceReport: {
            /** @enum {string} */
            period: "today" | "month";
            supervisors: components["schemas"]["SupervisorPerformance"][];
            leaderboard: components["schemas"]["LeaderboardEntry"][];
            /** @description Since the beginning. */
            agents: components["schemas"]["AgentPerformance"][];
        };
        SupervisorPerformance: {
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            supervisor_id: string;
            name: string;
            username: string | null;
            /** @enum {string} */
            supervisor_type: "chat" | "voice";
            /** @description 0–100: half CSAT, the rest volume and handle time. */
            score: number;
            total_calls: number;
            avg_csat: number | null;
            /** @description Seconds. */
            avg_handle_time: number | null;
            fcr_percentage: number | null;
        };
        LeaderboardEntry: {
            rank: number;
            username: string | null;
            name: string;
            /** @enum {string} */
            supervisor_type: "chat" | "voice";
            score: number;
            is_me: boolean;
        };
        AgentPerformance: {
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            agent_id: string;
            agent_name: string;
            total_interactions: number;
            avg_csat: number | null;
            /** @description Seconds. */
            avg_handle_time: number | null;
            fcr_percentage: number | null;
        };
        NewDeletionReceipt: components["schemas"]["DeletionReceipt"] & {
            /** @description SHA-256 of this, a colon and the phone number (or the interaction’s id) is `subject_hash`. Given out once and kept nowhere. */
            subject_nonce: string;
        };
        DeletionReceipt: {
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            id: string;
            /** @enum {string} */
            subject_kind: "customer" | "interaction";
            /** @description Tells whom it was about to whoever has `subject_nonce`. */
            subject_hash: string;
            /** @description Rows that were deleted, by table. */
            counts: {
                [key: string]: number;
            };
            /**
             * Format: uuid
             * @description Null for an operator with the secret key.
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            deleted_by: string | null;
            deleted_by_name: string;
            /**
             * Format: date-time
             * @example 2026-03-01T09:30:00.123456+00:00
             */
            deleted_at: string;
            /** @description SHA-256 of the receipt. */
            hash: string;
        };
        /** @description A customer, or one conversation of somebody whose number was never known. */
        DeletionSubject: {
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            customer_id: string;
        } | {
            /** @example +441632960123 */
            phone_number: string;
        } | {
            /**
             * Format: uuid
             * @example 6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11
             */
            interaction_id: string;
        };
        DeletionReceiptPage: {
            data: components["schemas"]["DeletionReceipt"][];
            next_cursor: string | null;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
