import type { Entities } from './entities.ts';

/** What a customer wants, recognised without punctuation or capitals. */
export interface Intent {
  name: string;
  /** A wish that replaces what the conversation was about; other concerns only count where there was none yet. */
  request: boolean;
  pattern: RegExp;
  /** A clause in the third person without a subject: "Asks for a refund of order 1042". */
  describe(entities: Entities): string;
}

const order = ({ order: number }: Entities) => (number ? ` of order ${number}` : '');
const orderOr = ({ order: number, product }: Entities, otherwise: string) =>
  number ? `order ${number}` : product ? `the ${product}` : otherwise;
const thing = ({ product }: Entities, otherwise: string) => product ?? otherwise;
const amount = ({ amount: sum }: Entities) => (sum ? ` of ${sum}` : '');

const REQUESTS = new Set([
  'emergency',
  'fraud',
  'refund',
  'refund_status',
  'cancel_order',
  'cancel_contract',
  'stop_delivery',
  'return',
  'exchange',
  'opening',
]);

/** The first that matches the newest turn that matches any wins, so the more telling ones stand first. */
export const INTENTS: readonly Intent[] = [
  intent(
    'emergency',
    /smell(s|ing)? (of )?gas|gas leak|kitchen is under water|flood(ed|ing)|on fire|burst pipe/,
    () => 'Reports an emergency',
  ),
  intent(
    'fraud',
    /not (make|made|do) (this|these|that|those)|didnt make (this|that|these|those|them|any)|fraud|stolen card|card (was |got |has been )?stolen|unauthori[sz]ed|hacked|somebody used my card|someone (used|is spending|is using) my|payments? i (dont|do not) (know|recognise|recognize)/,
    () => 'Reports payments or access that were not theirs',
  ),
  intent(
    'lost_card',
    /(lost|swallowed|block|blocked|freeze) (my |the )?(bank |credit |debit )?card|card (is )?(lost|blocked|missing)|new card|second card/,
    () => 'Needs a card blocked or replaced',
  ),
  intent(
    'account_access',
    /(cant|cannot|unable to|wont let me|not able to|problem with|trouble) (log|logging|sign|signing|get)(ging)? ?(in|into)|\blog ?in\b|password|locked out|account (is |got |was |has been )?locked|reset (my )?(pin|code)|verification code|the code (you|doesnt|does not)|two factor|unlock/,
    () => "Can't get into the account",
  ),
  intent(
    'charged_twice',
    /charged? (me |us )?(twice|double|two times)|double charge|billed (me )?twice|two (charges|payments)|bought it twice|took (the )?money twice/,
    (e) => (e.amount ? `Was charged ${e.amount} twice` : 'Was charged twice'),
  ),
  intent(
    'refund_status',
    /(wheres|where is|when (do|will|can) i (get|receive|see)|waiting (for|on)|whats happening with|any news (on|about)|status of|havent (got|received|had)|still (no|dont have)).{0,24}(refund|money back|deposit)/,
    (e) => `Asks when the refund${order(e)} arrives`,
  ),
  intent(
    'refund',
    /refund|money back|reimburse|get back my money|give me (back )?my money|i want my money/,
    (e) => `Asks for a refund${order(e) || amount(e)}`,
  ),
  intent(
    'cancel_order',
    /(cancel|stop) .{0,16}\border\b|order .{0,20}\bcancel|cancel it (please|then)|dont want it any ?more/,
    (e) => `Wants to cancel ${orderOr(e, 'an order')}`,
  ),
  intent(
    'cancel_contract',
    /(cancel|end|terminate|quit|close|get out of) (my |the |our |this |both )?.{0,16}(subscription|membership|contract|account|plan|package|policy|service|tariff|accounts)|unsubscribe|moving my account|cancel everything/,
    () => 'Wants to cancel a contract or account',
  ),
  intent(
    'stop_delivery',
    /(stop|hold|redirect|divert|pause|postpone) .{0,20}(delivery|parcel|package|shipment)|(deliver|leave) .{0,20}(neighbou?r|safe place|another day|different day|depot)|collect it from/,
    (e) => `Wants the delivery${order(e)} held or redirected`,
  ),
  intent(
    'not_delivered',
    /(says|marked|showing|shows|its) (as )?delivered|never (arrived|came|turned up|got)|didnt (arrive|come|get)|hasnt (arrived|come|turned up|shown up)|not (arrived|received|been delivered|here yet)|havent (received|got|had) (it|my|the)|no sign of|lost (parcel|package|in transit)|nobody (came|showed|turned up|has come)|no one (came|showed|turned up)|(didnt|did not|never) (make it|show up|turn up)/,
    (e) => `Reports that ${orderOr(e, 'a delivery or visit')} did not arrive`,
  ),
  intent(
    'delivery_status',
    /(wheres|where is|track|tracking|status of|when (will|does|is|are)|any (news|update)|how long (till|until)|what time).{0,40}(order|parcel|package|delivery|deliver|coming|ship|arrive|driver|it come)|tracking (number|hasnt|info)|out for delivery|(is|are) (it|they|my order) on (its|their|the) way|order status/,
    (e) => `Asks where ${orderOr(e, 'a delivery')} is`,
  ),
  intent(
    'wrong_item',
    /wrong (item|size|one|product|colou?r|order|thing)|(got|sent me|gave me|received|delivered) (someone else|somebody else|another|a different|the wrong)|ordered .{0,24} (but )?(got|received) /,
    (e) => `Received the wrong item${order(e)}`,
  ),
  intent(
    'missing_item',
    /missing|(left|came|arrived) without|item(s)? (is|are|was|were) not in|only got (one|half|part)|half of it/,
    (e) => `Reports that something is missing${order(e)}`,
  ),
  intent(
    'damaged',
    /damaged?|crack(ed)?|smashed|scratch(ed)?|torn|shattered|dent(ed)?|arrived broken|came broken|stain(ed)?|a tear in/,
    (e) => `Reports a damaged ${thing(e, 'item')}${order(e)}`,
  ),
  intent(
    'exchange',
    /(exchange|swap|replace|replacement|different size|size up|size down|bigger size|smaller size|another colou?r)/,
    (e) => `Wants ${orderOr(e, 'an item')} exchanged or replaced`,
  ),
  intent(
    'return',
    /\b(to return|returning|return (it|them|this|these|the|my|some|an?)|send (it|them|this|these) back|return label)\b/,
    (e) => `Wants to return ${orderOr(e, 'an item')}`,
  ),
  intent(
    'outage',
    /(internet|wifi|broadband|power|electricity|heating|hot water|water|signal|service|site|website|app|server|line|phone).{0,24}(down|out\b|off\b|dead|gone|not working|doesnt work|isnt working|stopped|dropping|crawling|slow)|no (internet|wifi|signal|power|heating|hot water|water|service|connection)|outage/,
    (e) => `Reports ${e.product ? `trouble with the ${e.product}` : 'an outage'}`,
  ),
  intent(
    'overcharged',
    /overcharg|charged (me|us|for)|wrong (amount|bill|invoice)|(bill|invoice|amount|charge|price) (is |was |looks )?(wrong|incorrect|too high|so high|higher|went up|gone up|doubled)|late fee|extra (fee|charge)|didnt (agree|sign up)|hidden fee|why (was|am|were) (i|we) (being )?(charged|billed)|\bfee\b|price (increase|hike)/,
    (e) => `Disputes a charge${amount(e)}`,
  ),
  intent(
    'billing_question',
    /\b(bill|invoice|statement|receipt|direct debit|instal?ment|payment plan|tax statement|balance)\b/,
    (e) => `Has a question about a bill${amount(e)}`,
  ),
  intent(
    'payment_problem',
    /payment (failed|declined|wont|doesnt|didnt|isnt|was rejected)|card (was |is |got |keeps )?(declined|rejected|being declined)|cant pay|wont take my card/,
    () => 'Has trouble paying',
  ),
  intent(
    'appointment',
    /appointment|reschedule|(move|change|cancel|book|make|need|get) .{0,20}(visit|booking|reservation|table|slot|seat)|referral|check ?up|earlier slot/,
    () => 'Wants to make or change a booking or appointment',
  ),
  intent(
    'travel',
    /\b(flight|train|bus|tickets|check ?in|boarding|baggage|suitcase|luggage|bag|hotel|room|check ?out)\b/,
    (e) => `Has a concern about ${e.product ? `the ${e.product}` : 'a journey or stay'}`,
  ),
  intent(
    'address_change',
    /(change|update|new|wrong|correct|different) .{0,16}address|moved (house|in|out|flat)|moving (house|out|in)|address .{0,20}(change|update|wrong)/,
    (e) => `Wants an address changed${order(e)}`,
  ),
  intent(
    'details_change',
    /(change|update|correct) .{0,16}(name|email|phone|number|details|card|bank)/,
    () => 'Wants their details changed',
  ),
  intent(
    'claim',
    /\bclaim\b|insurance|assessor|warranty|guarantee/,
    (e) => `Asks about a claim or warranty${e.product ? ` for the ${e.product}` : ''}`,
  ),
  intent(
    'medical',
    /prescription|pharmacy|test results?|my results|inhaler|insulin|medication|doctor|nurse|sensors/,
    () => 'Asks about a prescription, result or treatment',
  ),
  intent(
    'late',
    /\b(late|overdue|delayed|delay)\b|(was|were|is|its) (due|supposed to|meant to)|should have (been|arrived|come)|(one|two|three|four|five|six|ten|\d+) (days|weeks) late/,
    (e) => `Says that ${orderOr(e, 'something promised')} is late`,
  ),
  intent('points', /\bpoints\b|loyalty|rewards/, () => 'Has a concern about loyalty points'),
  intent(
    'penalty',
    /penalty|parking (fine|ticket|charge)|appeal\b|permit/,
    () => 'Wants to appeal or ask about a penalty or permit',
  ),
  intent(
    'limit',
    /(raise|increase|lower|change) .{0,16}(limit|gift|donation|payment)|transfer (money|limit)/,
    () => 'Wants a limit or regular payment changed',
  ),
  intent(
    'document',
    /(pass|passport|licen[cs]e|permit|certificate|records?|documents?|application)\b/,
    () => 'Asks about a document or application',
  ),
  intent(
    'substitution',
    /substitut|instead of (the|what)|allerg/,
    () => 'Complains about what was delivered instead',
  ),
  intent(
    'technical',
    /error|doesnt work|does not work|isnt working|not working|stopped working|wont (turn|start|load|open|connect|work|charge|drain|let)|keeps (crashing|dropping|freezing|saying)|crash|blinking|beep|activate|activation|setup|set up|install|update|reset|restart|offline|black screen|frozen|leak|broken|broke|fault|bug\b|import|export|sync/,
    (e) => `Reports a problem with ${e.product ? `the ${e.product}` : 'a device or program'}`,
  ),
  intent(
    'plan_change',
    /(upgrade|downgrade|switch|change) .{0,24}(plan|tariff|package|contract|account)?|cheaper plan|better deal|renew|extend|quote|freeze my/,
    () => 'Wants to change or renew a plan',
  ),
  intent(
    'complaint',
    /complain|complaint|unacceptable|disgusting|disgrace|terrible service|worst|let down|disappointed|not happy|unhappy|compensation/,
    (e) => `Complains${e.order ? ` about order ${e.order}` : e.product ? ` about the ${e.product}` : ''}`,
  ),
  intent(
    'order_placing',
    /(want|like|need) to (order|buy)|can i (order|buy|get) |place an order|add .{0,20} to (my|the) order|in stock|available/,
    (e) => `Wants to buy or order ${e.product ? `a ${e.product}` : 'something'}`,
  ),
  intent(
    'opening',
    /opening (hours|times)|what time (do you|are you)|are you open|when do you (open|close)|where are you/,
    () => 'Asks about opening hours or places',
  ),
  intent(
    'question',
    /\b(how (do|can|would) (i|we|you)|is it possible|do you (offer|have|do|ship|accept|take)|does (it|the)|can (i|we|you)|could (i|you)|what (is|are|does)|whats the|quick question|a question)\b/,
    (e) =>
      e.order
        ? `Has a question about order ${e.order}`
        : e.product
          ? `Has a question about the ${e.product}`
          : 'Has a question',
  ),
];

/** Wishes and moods that are said besides the concern; each adds a word to the line. */
export const WISHES = {
  human:
    /(speak|talk|get|put me through|transfer me|connect me) .{0,16}(human|person|agent|someone|somebody|representative|manager|supervisor|boss)|real (person|human)|\b(human|representative|manager|supervisor)\b.{0,8}$|^agent$/,
  leave:
    /(take|taking) my business|go(ing)? elsewhere|cancel everything|close my account|never (again|buying|ordering|using)|another (provider|company|bank)|switch(ing)? (provider|to)|competitor|lost a customer|not renewing|leaving you|im (out|leaving)/,
  legal:
    /solicitor|lawyer|attorney|ombudsman|regulator|small claims|\bcourt\b|\bsue\b|legal action|trading standards|consumer (rights|protection)|chargeback|dispute (this|it|the charge)|filing a dispute/,
  repeat:
    /(second|third|fourth|fifth|sixth|\d+(nd|rd|th)) (time|call|email|ticket|replacement|chat|person)|(twice|three times|four times|several times|again and again|how many times)|(i|ive|we|weve|have) (already|keep) (called|rang|said|told|explained|sent|given|emailed|call|have to)|calling again|me again|call number|passed (around|from)|rang (monday|yesterday)|i (called|rang|phoned|emailed) (yesterday|last|on|monday|before|twice)|nobody (called|rang|calls)|start over|repeat myself/,
  withdraw:
    /(never ?mind|forget it|dont bother|leave it|changed my mind|dont need it any ?more|no longer need)/,
} as const;

export const THANKS = /\b(thanks|thank you|thankyou|thx|ty|cheers|ta|much appreciated|appreciate)\b/;
export const CLOSING =
  /\b(bye|goodbye|thats (all|it|everything)|nothing else|have a (good|great|nice|lovely)|see you|good (day|night|evening))\b/;
export const GREETING_ONLY =
  /^(hi|hello|hey|hiya|good (morning|afternoon|evening)|morning|yo|anyone there|is anybody there|test|hello anyone there)( there)?$/;

function intent(name: string, pattern: RegExp, describe: Intent['describe']): Intent {
  return { name, request: REQUESTS.has(name), pattern, describe };
}
