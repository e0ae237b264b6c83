-- The schema that the migrations add up to. Made by `node scripts/schema-snapshot.ts`; never applied, never edited.
-- Read from the catalogue, because the embedded PostgreSQL has no pg_dump.

-- Tables

create table floorwalker.agent_days (
  agent_id uuid not null,
  day date not null,
  calls integer not null default 0,
  seconds bigint not null default 0,
  archives integer not null default 0,
  first_contact integer not null default 0,
  rated integer not null default 0,
  csat numeric not null default 0,
  folded boolean not null default false
);

create table floorwalker.archive_search (
  interaction_id uuid not null,
  happened_at timestamp with time zone not null,
  configuration text not null,
  phone_digits text,
  words tsvector not null,
  keys text[] not null,
  constraint archive_search_pkey PRIMARY KEY (interaction_id),
  constraint archive_search_interaction_id_fkey FOREIGN KEY (interaction_id) REFERENCES interaction_archives(interaction_id) ON DELETE CASCADE
);

create unlogged table floorwalker.change_log (
  only_row boolean not null default true,
  epoch text not null default substr((gen_random_uuid())::text, 1, 8),
  horizon pg_snapshot not null default pg_current_snapshot(),
  mark pg_snapshot not null default pg_current_snapshot(),
  marked_at timestamp with time zone not null default clock_timestamp(),
  constraint change_log_pkey PRIMARY KEY (only_row),
  constraint change_log_only_row_check CHECK (only_row)
);

create unlogged table floorwalker.changes (
  xid xid8 not null default pg_current_xact_id(),
  id bigint not null,
  kind text not null,
  interaction_id uuid,
  agent_id uuid,
  subject text,
  payload jsonb,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint changes_pkey PRIMARY KEY (xid, id),
  constraint changes_check CHECK (((subject IS NULL) <> (payload IS NULL))),
  constraint changes_kind_check CHECK ((kind = ANY (ARRAY['metrics'::text, 'message'::text, 'permission'::text, 'interaction'::text, 'agent'::text, 'tool_call'::text, 'callback'::text, 'person'::text])))
);

create table floorwalker.elections (
  role text not null,
  holder text not null,
  term bigint not null,
  lease_until timestamp with time zone not null,
  elected_at timestamp with time zone not null default clock_timestamp(),
  constraint elections_pkey PRIMARY KEY (role),
  constraint elections_holder_check CHECK (((length(holder) >= 1) AND (length(holder) <= 200))),
  constraint elections_role_check CHECK ((role ~ '^[a-z][a-z_]{0,39}$'::text))
);

create table floorwalker.migrations (
  version integer not null,
  name text not null,
  checksum text not null,
  applied_at timestamp with time zone not null default now(),
  constraint migrations_pkey PRIMARY KEY (version)
);

create table floorwalker.retention_progress (
  business_id uuid not null,
  interactions bigint not null default 0,
  transcripts bigint not null default 0,
  metrics bigint not null default 0,
  customers bigint not null default 0,
  last_removed_at timestamp with time zone not null default clock_timestamp(),
  constraint retention_progress_pkey PRIMARY KEY (business_id),
  constraint retention_progress_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT
);

create table floorwalker.search_configurations (
  business_id uuid not null,
  configuration text not null,
  constraint search_configurations_pkey PRIMARY KEY (business_id, configuration),
  constraint search_configurations_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE CASCADE
);

create unlogged table floorwalker.tracks (
  interaction_id uuid not null,
  since timestamp with time zone not null,
  until timestamp with time zone not null,
  times jsonb not null,
  scores jsonb not null,
  sentiments jsonb not null,
  folded_at timestamp with time zone not null,
  constraint tracks_pkey PRIMARY KEY (interaction_id)
);

create unlogged table floorwalker.unfinished_answers (
  interaction_id uuid not null,
  item_id text not null,
  content text not null,
  began_at timestamp with time zone not null,
  constraint unfinished_answers_pkey PRIMARY KEY (interaction_id),
  constraint unfinished_answers_item_id_check CHECK (((length(item_id) >= 1) AND (length(item_id) <= 200)))
);

create table agent_tools (
  id uuid not null default gen_random_uuid(),
  agent_id uuid not null,
  tool_name text not null,
  tool_config jsonb not null default '{}'::jsonb,
  requires_permission boolean not null default false,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint agent_tools_agent_id_tool_name_key UNIQUE (agent_id, tool_name),
  constraint agent_tools_pkey PRIMARY KEY (id),
  constraint agent_tools_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents(id) ON DELETE RESTRICT,
  constraint agent_tools_tool_config_check CHECK ((jsonb_typeof(tool_config) = 'object'::text)),
  constraint agent_tools_tool_name_check CHECK ((tool_name ~ '^[a-zA-Z0-9_-]{1,64}$'::text))
);

create table agent_versions (
  id bigint not null default nextval('agent_versions_id_seq'::regclass),
  agent_id uuid not null,
  version integer not null,
  definition jsonb not null,
  source text not null,
  restored_version integer,
  note text,
  changed_by uuid,
  changed_by_name text,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint agent_versions_agent_id_version_key UNIQUE (agent_id, version),
  constraint agent_versions_pkey PRIMARY KEY (id),
  constraint agent_versions_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents(id) ON DELETE RESTRICT,
  constraint agent_versions_definition_check CHECK ((jsonb_typeof(definition) = 'object'::text)),
  constraint agent_versions_note_check CHECK ((length(note) <= 500)),
  constraint agent_versions_source_check CHECK ((source = ANY (ARRAY['first'::text, 'apply'::text, 'console'::text, 'rollback'::text, 'assignment'::text, 'other'::text])))
);

create table agents (
  id uuid not null default gen_random_uuid(),
  business_id uuid not null,
  supervisor_id uuid not null,
  cover_id uuid,
  name text not null,
  slug text not null,
  agent_type text not null,
  system_prompt text not null,
  greeting text,
  language text not null default 'en'::text,
  model_settings jsonb not null default '{}'::jsonb,
  voice_settings jsonb not null default '{}'::jsonb,
  mcp_tools jsonb,
  status text not null default 'idle'::text,
  public boolean not null default false,
  max_concurrent_interactions integer not null default 1,
  version integer not null default 1,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  deleted_at timestamp with time zone,
  applied_version integer,
  constraint agents_business_id_slug_key UNIQUE (business_id, slug),
  constraint agents_pkey PRIMARY KEY (id),
  constraint agents_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT,
  constraint agents_cover_id_fkey FOREIGN KEY (cover_id) REFERENCES users(id) ON DELETE RESTRICT,
  constraint agents_supervisor_id_fkey FOREIGN KEY (supervisor_id) REFERENCES users(id) ON DELETE RESTRICT,
  constraint agents_agent_type_check CHECK ((agent_type = ANY (ARRAY['voice'::text, 'chat'::text]))),
  constraint agents_check CHECK ((cover_id IS DISTINCT FROM supervisor_id)),
  constraint agents_greeting_check CHECK ((length(greeting) <= 2000)),
  constraint agents_language_check CHECK ((language ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$'::text)),
  constraint agents_max_concurrent_interactions_check CHECK (((max_concurrent_interactions >= 1) AND (max_concurrent_interactions <= 1000))),
  constraint agents_model_settings_check CHECK ((jsonb_typeof(model_settings) = 'object'::text)),
  constraint agents_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
  constraint agents_slug_check CHECK ((slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'::text)),
  constraint agents_status_check CHECK ((status = ANY (ARRAY['idle'::text, 'in_call'::text, 'in_chat'::text, 'paused'::text]))),
  constraint agents_system_prompt_check CHECK (((length(system_prompt) >= 1) AND (length(system_prompt) <= 100000))),
  constraint agents_voice_settings_check CHECK ((jsonb_typeof(voice_settings) = 'object'::text))
);

create table appointment_calendars (
  id bigint not null,
  business_id uuid not null,
  name text not null,
  hours jsonb not null,
  holidays date[] not null default '{}'::date[],
  slot_minutes integer not null default 30,
  lead_minutes integer not null default 60,
  days_ahead integer not null default 60,
  per_customer integer not null default 5,
  created_at timestamp with time zone not null default clock_timestamp(),
  updated_at timestamp with time zone not null default clock_timestamp(),
  constraint appointment_calendars_id_business_id_key UNIQUE (id, business_id),
  constraint appointment_calendars_pkey PRIMARY KEY (id),
  constraint appointment_calendars_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT,
  constraint appointment_calendars_days_ahead_check CHECK (((days_ahead >= 1) AND (days_ahead <= 400))),
  constraint appointment_calendars_lead_minutes_check CHECK ((lead_minutes >= 0)),
  constraint appointment_calendars_name_check CHECK (((length(name) >= 1) AND (length(name) <= 100))),
  constraint appointment_calendars_per_customer_check CHECK (((per_customer >= 1) AND (per_customer <= 1000))),
  constraint appointment_calendars_slot_minutes_check CHECK (((slot_minutes >= 5) AND (slot_minutes <= 480))),
  constraint valid_hours CHECK (floorwalker.valid_hours(hours))
);

create table appointment_requests (
  business_id uuid not null,
  idempotency_key text not null,
  request jsonb not null,
  appointment_id uuid not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint appointment_requests_pkey PRIMARY KEY (business_id, idempotency_key),
  constraint appointment_requests_appointment_id_fkey FOREIGN KEY (appointment_id) REFERENCES appointments(id) ON DELETE CASCADE,
  constraint appointment_requests_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT,
  constraint appointment_requests_idempotency_key_check CHECK (((length(idempotency_key) >= 1) AND (length(idempotency_key) <= 300)))
);

create table appointments (
  id uuid not null default gen_random_uuid(),
  business_id uuid not null,
  calendar_id bigint not null,
  reference integer not null,
  customer_phone text not null,
  customer_name text,
  reason text,
  starts_at timestamp with time zone not null,
  ends_at timestamp with time zone not null,
  status text not null default 'confirmed'::text,
  source text not null default 'manual'::text,
  created_at timestamp with time zone not null default clock_timestamp(),
  updated_at timestamp with time zone not null default clock_timestamp(),
  constraint appointment_overlaps EXCLUDE USING gist (int8range(calendar_id, calendar_id, '[]'::text) WITH &&, tstzrange(starts_at, ends_at) WITH &&) WHERE ((status = 'confirmed'::text)),
  constraint appointments_business_id_reference_key UNIQUE (business_id, reference),
  constraint appointments_pkey PRIMARY KEY (id),
  constraint appointments_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT,
  constraint appointments_calendar_id_business_id_fkey FOREIGN KEY (calendar_id, business_id) REFERENCES appointment_calendars(id, business_id) ON DELETE RESTRICT,
  constraint appointments_check CHECK ((ends_at > starts_at)),
  constraint appointments_customer_name_check CHECK (((length(customer_name) >= 1) AND (length(customer_name) <= 200))),
  constraint appointments_customer_phone_check CHECK ((customer_phone ~ '^\+[1-9][0-9]{6,14}$'::text)),
  constraint appointments_reason_check CHECK ((length(reason) <= 1000)),
  constraint appointments_reference_check CHECK (((reference >= 1000) AND (reference <= 99999999))),
  constraint appointments_source_check CHECK ((source = ANY (ARRAY['manual'::text, 'agent'::text, 'web'::text, 'sms'::text]))),
  constraint appointments_status_check CHECK ((status = ANY (ARRAY['confirmed'::text, 'cancelled'::text, 'completed'::text, 'no_show'::text])))
);

create table audit_events (
  id bigint not null default nextval('audit_events_id_seq'::regclass),
  business_id uuid,
  actor_id uuid,
  actor_kind text not null,
  action text not null,
  subject_type text not null,
  subject_id text not null,
  details jsonb not null default '{}'::jsonb,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint audit_events_pkey PRIMARY KEY (id),
  constraint audit_events_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT,
  constraint audit_events_action_check CHECK ((action ~ '^[a-z_]+\.[a-z_]+$'::text)),
  constraint audit_events_actor_kind_check CHECK ((actor_kind = ANY (ARRAY['user'::text, 'service'::text, 'system'::text])))
);

create table businesses (
  id uuid not null default gen_random_uuid(),
  name text not null,
  slug text not null,
  time_zone text not null default 'UTC'::text,
  allowed_origins text[] not null default '{}'::text[],
  retention jsonb not null default '{}'::jsonb,
  tag_vocabulary jsonb not null default '{"issues": [], "topics": []}'::jsonb,
  limits jsonb not null default '{}'::jsonb,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  deleted_at timestamp with time zone,
  constraint businesses_slug_key UNIQUE (slug),
  constraint businesses_pkey PRIMARY KEY (id),
  constraint businesses_limits_check CHECK ((jsonb_typeof(limits) = 'object'::text)),
  constraint businesses_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
  constraint businesses_retention_check CHECK ((jsonb_typeof(retention) = 'object'::text)),
  constraint businesses_slug_check CHECK ((slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'::text)),
  constraint businesses_tag_vocabulary_check CHECK (((jsonb_typeof((tag_vocabulary -> 'topics'::text)) = 'array'::text) AND (jsonb_typeof((tag_vocabulary -> 'issues'::text)) = 'array'::text)))
);

create table callback_requests (
  id uuid not null default gen_random_uuid(),
  business_id uuid not null,
  agent_id uuid not null,
  interaction_id uuid not null,
  kind text not null default 'live'::text,
  phone_number text not null,
  reason text not null,
  preferred_time text,
  requested_at timestamp with time zone not null default clock_timestamp(),
  done_at timestamp with time zone,
  done_by uuid,
  done_by_name text,
  note text,
  constraint callback_requests_pkey PRIMARY KEY (id),
  constraint callback_requests_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents(id) ON DELETE RESTRICT,
  constraint callback_requests_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT,
  constraint callback_requests_done_by_fkey FOREIGN KEY (done_by) REFERENCES users(id) ON DELETE RESTRICT,
  constraint callback_requests_interaction_id_fkey FOREIGN KEY (interaction_id) REFERENCES interactions(id) ON DELETE RESTRICT,
  constraint callback_requests_check CHECK (((done_at IS NULL) = (done_by IS NULL))),
  constraint callback_requests_kind_check CHECK ((kind = ANY (ARRAY['live'::text, 'rehearsal'::text]))),
  constraint callback_requests_note_check CHECK ((length(note) <= 2000)),
  constraint callback_requests_phone_number_check CHECK ((phone_number ~ '^\+[1-9][0-9]{6,14}$'::text)),
  constraint callback_requests_preferred_time_check CHECK ((length(preferred_time) <= 200)),
  constraint callback_requests_reason_check CHECK (((length(reason) >= 1) AND (length(reason) <= 1000)))
);

create table crm_health_scores (
  id uuid not null default gen_random_uuid(),
  business_id uuid not null,
  customer_id uuid not null,
  overall integer not null,
  product integer,
  risk integer,
  outcomes integer,
  voice integer,
  engagement integer,
  calculated_at timestamp with time zone not null default clock_timestamp(),
  constraint crm_health_scores_pkey PRIMARY KEY (id),
  constraint crm_health_scores_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT,
  constraint crm_health_scores_customer_id_business_id_fkey FOREIGN KEY (customer_id, business_id) REFERENCES customers(id, business_id) ON DELETE CASCADE,
  constraint crm_health_scores_engagement_check CHECK (((engagement >= 0) AND (engagement <= 100))),
  constraint crm_health_scores_outcomes_check CHECK (((outcomes >= 0) AND (outcomes <= 100))),
  constraint crm_health_scores_overall_check CHECK (((overall >= 0) AND (overall <= 100))),
  constraint crm_health_scores_product_check CHECK (((product >= 0) AND (product <= 100))),
  constraint crm_health_scores_risk_check CHECK (((risk >= 0) AND (risk <= 100))),
  constraint crm_health_scores_voice_check CHECK (((voice >= 0) AND (voice <= 100)))
);

create table crm_notes (
  id uuid not null default gen_random_uuid(),
  business_id uuid not null,
  customer_id uuid not null,
  body text not null,
  author text not null default 'agent'::text,
  idempotency_key text,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint crm_notes_business_id_idempotency_key_key UNIQUE (business_id, idempotency_key),
  constraint crm_notes_pkey PRIMARY KEY (id),
  constraint crm_notes_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT,
  constraint crm_notes_customer_id_business_id_fkey FOREIGN KEY (customer_id, business_id) REFERENCES customers(id, business_id) ON DELETE CASCADE,
  constraint crm_notes_author_check CHECK ((author = ANY (ARRAY['agent'::text, 'person'::text]))),
  constraint crm_notes_body_check CHECK (((length(body) >= 1) AND (length(body) <= 4000))),
  constraint crm_notes_idempotency_key_check CHECK (((length(idempotency_key) >= 1) AND (length(idempotency_key) <= 300)))
);

create table crm_profiles (
  customer_id uuid not null,
  business_id uuid not null,
  company text,
  tier text,
  status text not null default 'active'::text,
  yearly_revenue numeric,
  renewal_date date,
  manager text,
  created_at timestamp with time zone not null default clock_timestamp(),
  updated_at timestamp with time zone not null default clock_timestamp(),
  constraint crm_profiles_pkey PRIMARY KEY (customer_id),
  constraint crm_profiles_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT,
  constraint crm_profiles_customer_id_business_id_fkey FOREIGN KEY (customer_id, business_id) REFERENCES customers(id, business_id) ON DELETE CASCADE,
  constraint crm_profiles_company_check CHECK (((length(company) >= 1) AND (length(company) <= 200))),
  constraint crm_profiles_manager_check CHECK (((length(manager) >= 1) AND (length(manager) <= 200))),
  constraint crm_profiles_status_check CHECK ((status = ANY (ARRAY['active'::text, 'paused'::text, 'churned'::text]))),
  constraint crm_profiles_tier_check CHECK ((tier = ANY (ARRAY['enterprise'::text, 'mid-market'::text, 'smb'::text]))),
  constraint crm_profiles_yearly_revenue_check CHECK ((yearly_revenue >= (0)::numeric))
);

create table crm_risk_signals (
  id uuid not null default gen_random_uuid(),
  business_id uuid not null,
  customer_id uuid not null,
  signal text not null,
  severity text not null,
  description text not null,
  detected_at timestamp with time zone not null default clock_timestamp(),
  resolved_at timestamp with time zone,
  idempotency_key text,
  constraint crm_risk_signals_business_id_idempotency_key_key UNIQUE (business_id, idempotency_key),
  constraint crm_risk_signals_pkey PRIMARY KEY (id),
  constraint crm_risk_signals_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT,
  constraint crm_risk_signals_customer_id_business_id_fkey FOREIGN KEY (customer_id, business_id) REFERENCES customers(id, business_id) ON DELETE CASCADE,
  constraint crm_risk_signals_check CHECK ((resolved_at >= detected_at)),
  constraint crm_risk_signals_description_check CHECK (((length(description) >= 1) AND (length(description) <= 2000))),
  constraint crm_risk_signals_idempotency_key_check CHECK (((length(idempotency_key) >= 1) AND (length(idempotency_key) <= 300))),
  constraint crm_risk_signals_severity_check CHECK ((severity = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'critical'::text]))),
  constraint crm_risk_signals_signal_check CHECK ((signal = ANY (ARRAY['usage_drop'::text, 'champion_left'::text, 'support_escalation'::text, 'nps_detractor'::text, 'competitor_threat'::text, 'payment_issue'::text])))
);

create table customers (
  id uuid not null default gen_random_uuid(),
  business_id uuid not null,
  phone_number text not null,
  name text,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint customers_business_id_phone_number_key UNIQUE (business_id, phone_number),
  constraint customers_id_business UNIQUE (id, business_id),
  constraint customers_pkey PRIMARY KEY (id),
  constraint customers_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT,
  constraint customers_name_check CHECK ((length(name) <= 200)),
  constraint customers_phone_number_check CHECK ((phone_number ~ '^\+[1-9][0-9]{6,14}$'::text))
);

create table deletion_receipts (
  id uuid not null default gen_random_uuid(),
  business_id uuid not null,
  subject_kind text not null,
  subject_hash text not null,
  counts jsonb not null,
  deleted_by uuid,
  deleted_by_name text not null,
  deleted_at timestamp with time zone not null,
  hash text not null,
  constraint deletion_receipts_pkey PRIMARY KEY (id),
  constraint deletion_receipts_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT,
  constraint deletion_receipts_counts_check CHECK ((jsonb_typeof(counts) = 'object'::text)),
  constraint deletion_receipts_hash_check CHECK ((hash ~ '^[0-9a-f]{64}$'::text)),
  constraint deletion_receipts_subject_hash_check CHECK ((subject_hash ~ '^[0-9a-f]{64}$'::text)),
  constraint deletion_receipts_subject_kind_check CHECK ((subject_kind = ANY (ARRAY['customer'::text, 'interaction'::text])))
);

create table interaction_archives (
  id uuid not null default gen_random_uuid(),
  interaction_id uuid not null,
  business_id uuid not null,
  summary text not null,
  summary_source text not null default 'facts'::text,
  issues jsonb not null default '[]'::jsonb,
  tags jsonb not null default '{"issues": [], "topics": [], "sentiment": "neutral"}'::jsonb,
  csat_score numeric(5,2),
  csat_source text,
  resolution_time_seconds integer,
  fcr_status boolean not null default true,
  metrics_series jsonb not null default '{}'::jsonb,
  facts jsonb not null default '{}'::jsonb,
  created_at timestamp with time zone not null default clock_timestamp(),
  updated_at timestamp with time zone not null default now(),
  agent_id uuid not null,
  kind text not null,
  interaction_status text not null,
  happened_at timestamp with time zone not null,
  constraint interaction_archives_interaction_id_key UNIQUE (interaction_id),
  constraint interaction_archives_pkey PRIMARY KEY (id),
  constraint interaction_archives_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents(id) ON DELETE RESTRICT,
  constraint interaction_archives_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT,
  constraint interaction_archives_interaction_id_fkey FOREIGN KEY (interaction_id) REFERENCES interactions(id) ON DELETE RESTRICT,
  constraint interaction_archives_check CHECK (((csat_score IS NULL) = (csat_source IS NULL))),
  constraint interaction_archives_csat_score_check CHECK (((csat_score >= (0)::numeric) AND (csat_score <= (100)::numeric))),
  constraint interaction_archives_csat_source_check CHECK ((csat_source = ANY (ARRAY['model'::text, 'customer'::text, 'metrics'::text]))),
  constraint interaction_archives_issues_check CHECK ((jsonb_typeof(issues) = 'array'::text)),
  constraint interaction_archives_resolution_time_seconds_check CHECK ((resolution_time_seconds >= 0)),
  constraint interaction_archives_summary_source_check CHECK ((summary_source = ANY (ARRAY['facts'::text, 'model'::text]))),
  constraint interaction_archives_tags_check CHECK (((jsonb_typeof((tags -> 'topics'::text)) = 'array'::text) AND (jsonb_typeof((tags -> 'issues'::text)) = 'array'::text)))
);

create table interaction_messages (
  id bigint not null default nextval('interaction_messages_id_seq'::regclass),
  interaction_id uuid not null,
  item_id text not null,
  seq bigint not null,
  role text not null,
  content text not null,
  interrupted boolean not null default false,
  spoken_at timestamp with time zone,
  metadata jsonb not null default '{}'::jsonb,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint interaction_messages_interaction_id_item_id_key UNIQUE (interaction_id, item_id),
  constraint interaction_messages_interaction_id_seq_key UNIQUE (interaction_id, seq),
  constraint interaction_messages_pkey PRIMARY KEY (id),
  constraint interaction_messages_interaction_id_fkey FOREIGN KEY (interaction_id) REFERENCES interactions(id) ON DELETE RESTRICT,
  constraint interaction_messages_item_id_check CHECK (((length(item_id) >= 1) AND (length(item_id) <= 200))),
  constraint interaction_messages_role_check CHECK ((role = ANY (ARRAY['customer'::text, 'agent'::text, 'supervisor'::text, 'system'::text])))
);

create table interaction_steps (
  id bigint not null default nextval('interaction_steps_id_seq'::regclass),
  interaction_id uuid not null,
  step_id text not null,
  step_type text not null,
  name text,
  input jsonb,
  output jsonb,
  duration_ms integer,
  model text,
  tokens_input integer,
  tokens_output integer,
  characters integer,
  audio_seconds numeric(10,3),
  error jsonb,
  happened_at timestamp with time zone not null default clock_timestamp(),
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint interaction_steps_interaction_id_step_id_key UNIQUE (interaction_id, step_id),
  constraint interaction_steps_pkey PRIMARY KEY (id),
  constraint interaction_steps_interaction_id_fkey FOREIGN KEY (interaction_id) REFERENCES interactions(id) ON DELETE RESTRICT,
  constraint interaction_steps_step_id_check CHECK (((length(step_id) >= 1) AND (length(step_id) <= 200))),
  constraint interaction_steps_step_type_check CHECK ((step_type ~ '^[a-z][a-z_]{0,39}$'::text))
);

create table interactions (
  id uuid not null default gen_random_uuid(),
  business_id uuid not null,
  agent_id uuid not null,
  customer_id uuid,
  phone_number text,
  phone_source text,
  interaction_type text not null,
  kind text not null default 'live'::text,
  direction text not null default 'inbound'::text,
  called_number text,
  provider_call_id text,
  livekit_room_id text not null,
  status text not null default 'queued'::text,
  queued_at timestamp with time zone not null default clock_timestamp(),
  answered_at timestamp with time zone,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  duration_seconds integer,
  end_reason text,
  agent_snapshot jsonb,
  disposition text,
  supervisor_notes text,
  control text not null default 'agent'::text,
  controlled_by uuid,
  control_changed_at timestamp with time zone,
  paused boolean not null default false,
  end_requested_at timestamp with time zone,
  end_requested_reason text,
  supervisor_requested_at timestamp with time zone,
  supervisor_request_reason text,
  supervisor_request_escalated_at timestamp with time zone,
  worker_id text,
  lease_until timestamp with time zone,
  generation bigint not null default 0,
  claim_attempts integer not null default 0,
  resume_token_hash text,
  origin text,
  address_hash text,
  rating integer,
  rating_comment text,
  purged_at timestamp with time zone,
  created_at timestamp with time zone not null default clock_timestamp(),
  updated_at timestamp with time zone not null default now(),
  transcript_purged_at timestamp with time zone,
  controlled_by_name text,
  supervisor_request_answered_at timestamp with time zone,
  loaded_generation bigint not null default 0,
  handed_over_generation bigint not null default 0,
  claimed_at timestamp with time zone,
  recoveries integer not null default 0,
  stalls integer not null default 0,
  constraint interactions_livekit_room_id_key UNIQUE (livekit_room_id),
  constraint interactions_provider_call_id_key UNIQUE (provider_call_id),
  constraint interactions_pkey PRIMARY KEY (id),
  constraint interactions_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents(id) ON DELETE RESTRICT,
  constraint interactions_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT,
  constraint interactions_controlled_by_fkey FOREIGN KEY (controlled_by) REFERENCES users(id) ON DELETE RESTRICT,
  constraint interactions_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES customers(id) ON DELETE RESTRICT,
  constraint interactions_check CHECK (((phone_number IS NULL) = (phone_source IS NULL))),
  constraint interactions_check1 CHECK (((control = 'supervisor'::text) = (controlled_by IS NOT NULL))),
  constraint interactions_check2 CHECK (((status = ANY (ARRAY['completed'::text, 'failed'::text])) = (ended_at IS NOT NULL))),
  constraint interactions_check3 CHECK (((status <> 'active'::text) OR (started_at IS NOT NULL))),
  constraint interactions_control_check CHECK ((control = ANY (ARRAY['agent'::text, 'supervisor'::text]))),
  constraint interactions_direction_check CHECK ((direction = ANY (ARRAY['inbound'::text, 'outbound'::text]))),
  constraint interactions_disposition_check CHECK ((length(disposition) <= 100)),
  constraint interactions_duration_seconds_check CHECK ((duration_seconds >= 0)),
  constraint interactions_interaction_type_check CHECK ((interaction_type = ANY (ARRAY['voice'::text, 'chat'::text]))),
  constraint interactions_kind_check CHECK ((kind = ANY (ARRAY['live'::text, 'rehearsal'::text]))),
  constraint interactions_phone_number_check CHECK ((phone_number ~ '^\+[1-9][0-9]{6,14}$'::text)),
  constraint interactions_phone_source_check CHECK ((phone_source = ANY (ARRAY['claimed'::text, 'sip'::text, 'verified'::text]))),
  constraint interactions_rating_check CHECK (((rating >= 1) AND (rating <= 5))),
  constraint interactions_rating_comment_check CHECK ((length(rating_comment) <= 2000)),
  constraint interactions_recoveries_check CHECK ((recoveries >= 0)),
  constraint interactions_stalls_check CHECK ((stalls >= 0)),
  constraint interactions_status_check CHECK ((status = ANY (ARRAY['queued'::text, 'active'::text, 'completed'::text, 'failed'::text]))),
  constraint interactions_supervisor_notes_check CHECK ((length(supervisor_notes) <= 10000))
);

create table knowledge_chunks (
  id bigint not null,
  business_id uuid not null,
  document_id uuid not null,
  attempt integer not null,
  "position" integer not null,
  heading text,
  page integer,
  body text not null,
  words tsvector not null,
  constraint knowledge_chunks_document_id_attempt_position_key UNIQUE (document_id, attempt, "position"),
  constraint knowledge_chunks_pkey PRIMARY KEY (id),
  constraint knowledge_chunks_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT,
  constraint knowledge_chunks_document_id_fkey FOREIGN KEY (document_id) REFERENCES knowledge_documents(id) ON DELETE CASCADE,
  constraint knowledge_chunks_body_check CHECK (((length(body) >= 1) AND (length(body) <= 20000))),
  constraint knowledge_chunks_page_check CHECK ((page >= 1)),
  constraint knowledge_chunks_position_check CHECK (("position" >= 1))
);

create table knowledge_documents (
  id uuid not null default gen_random_uuid(),
  business_id uuid not null,
  source text not null,
  title text not null,
  mime_type text not null,
  byte_size bigint not null,
  checksum text not null,
  status text not null default 'pending'::text,
  error text,
  attempt integer not null default 0,
  live_attempt integer,
  chunk_count integer not null default 0,
  created_at timestamp with time zone not null default clock_timestamp(),
  updated_at timestamp with time zone not null default clock_timestamp(),
  indexed_at timestamp with time zone,
  constraint knowledge_documents_business_id_source_key UNIQUE (business_id, source),
  constraint knowledge_documents_pkey PRIMARY KEY (id),
  constraint knowledge_documents_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT,
  constraint knowledge_documents_byte_size_check CHECK ((byte_size >= 0)),
  constraint knowledge_documents_check CHECK (((status = 'failed'::text) = (error IS NOT NULL))),
  constraint knowledge_documents_check1 CHECK (((status <> 'ready'::text) OR (live_attempt IS NOT NULL))),
  constraint knowledge_documents_error_check CHECK ((length(error) <= 1000)),
  constraint knowledge_documents_source_check CHECK (((length(source) >= 1) AND (length(source) <= 1000))),
  constraint knowledge_documents_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'processing'::text, 'ready'::text, 'failed'::text]))),
  constraint knowledge_documents_title_check CHECK (((length(title) >= 1) AND (length(title) <= 300)))
);

create table realtime_metrics (
  id bigint not null default nextval('realtime_metrics_id_seq'::regclass),
  interaction_id uuid not null,
  "timestamp" timestamp with time zone not null default clock_timestamp(),
  sentiment text not null,
  satisfaction_score numeric(5,2) not null,
  feed_text text not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint realtime_metrics_interaction_id_timestamp_key UNIQUE (interaction_id, "timestamp"),
  constraint realtime_metrics_pkey PRIMARY KEY (id),
  constraint realtime_metrics_interaction_id_fkey FOREIGN KEY (interaction_id) REFERENCES interactions(id) ON DELETE RESTRICT,
  constraint realtime_metrics_feed_text_check CHECK ((length(feed_text) <= 120)),
  constraint realtime_metrics_satisfaction_score_check CHECK (((satisfaction_score >= (0)::numeric) AND (satisfaction_score <= (100)::numeric))),
  constraint realtime_metrics_sentiment_check CHECK ((sentiment = ANY (ARRAY['good'::text, 'neutral'::text, 'critical'::text])))
);

create table shop_order_items (
  id uuid not null default gen_random_uuid(),
  order_id uuid not null,
  "position" integer not null,
  name text not null,
  quantity integer not null,
  unit_price_cents integer not null,
  constraint shop_order_items_order_id_position_key UNIQUE (order_id, "position"),
  constraint shop_order_items_pkey PRIMARY KEY (id),
  constraint shop_order_items_order_id_fkey FOREIGN KEY (order_id) REFERENCES shop_orders(id) ON DELETE CASCADE,
  constraint shop_order_items_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
  constraint shop_order_items_position_check CHECK (("position" >= 1)),
  constraint shop_order_items_quantity_check CHECK (((quantity >= 1) AND (quantity <= 10000))),
  constraint shop_order_items_unit_price_cents_check CHECK (((unit_price_cents >= 0) AND (unit_price_cents <= 100000000)))
);

create table shop_orders (
  id uuid not null default gen_random_uuid(),
  business_id uuid not null,
  order_number integer not null,
  customer_phone text not null,
  status text not null default 'processing'::text,
  currency text not null default 'EUR'::text,
  carrier text,
  tracking_number text,
  placed_at timestamp with time zone not null default now(),
  shipped_at timestamp with time zone,
  expected_at timestamp with time zone,
  delivered_at timestamp with time zone,
  cancelled_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint shop_orders_business_id_order_number_key UNIQUE (business_id, order_number),
  constraint shop_orders_pkey PRIMARY KEY (id),
  constraint shop_orders_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT,
  constraint shop_orders_carrier_check CHECK (((length(carrier) >= 1) AND (length(carrier) <= 100))),
  constraint shop_orders_check CHECK (((status <> ALL (ARRAY['shipped'::text, 'delivered'::text])) OR (shipped_at IS NOT NULL))),
  constraint shop_orders_check1 CHECK (((status = 'delivered'::text) = (delivered_at IS NOT NULL))),
  constraint shop_orders_check2 CHECK (((status = 'cancelled'::text) = (cancelled_at IS NOT NULL))),
  constraint shop_orders_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
  constraint shop_orders_customer_phone_check CHECK ((customer_phone ~ '^\+[1-9][0-9]{6,14}$'::text)),
  constraint shop_orders_order_number_check CHECK (((order_number >= 1) AND (order_number <= 999999999))),
  constraint shop_orders_status_check CHECK ((status = ANY (ARRAY['processing'::text, 'shipped'::text, 'delivered'::text, 'cancelled'::text]))),
  constraint shop_orders_tracking_number_check CHECK (((length(tracking_number) >= 1) AND (length(tracking_number) <= 100)))
);

create table shop_refunds (
  id uuid not null default gen_random_uuid(),
  business_id uuid not null,
  order_id uuid not null,
  amount_cents bigint not null,
  reason text,
  idempotency_key text not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint shop_refunds_business_id_idempotency_key_key UNIQUE (business_id, idempotency_key),
  constraint shop_refunds_pkey PRIMARY KEY (id),
  constraint shop_refunds_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT,
  constraint shop_refunds_order_id_fkey FOREIGN KEY (order_id) REFERENCES shop_orders(id) ON DELETE RESTRICT,
  constraint shop_refunds_amount_cents_check CHECK ((amount_cents > 0)),
  constraint shop_refunds_idempotency_key_check CHECK (((length(idempotency_key) >= 1) AND (length(idempotency_key) <= 300))),
  constraint shop_refunds_reason_check CHECK ((length(reason) <= 1000))
);

create table tool_calls (
  id uuid not null default gen_random_uuid(),
  interaction_id uuid not null,
  call_id text not null,
  tool_name text not null,
  arguments jsonb not null default '{}'::jsonb,
  arguments_hash text not null,
  definition_hash text,
  requires_permission boolean not null default false,
  permission_id uuid,
  state text not null,
  refusal_reason text,
  output text,
  error jsonb,
  idempotency_key text not null,
  generation bigint not null,
  requested_at timestamp with time zone not null default clock_timestamp(),
  started_at timestamp with time zone,
  finished_at timestamp with time zone,
  duration_ms integer,
  row_name text,
  policy jsonb,
  grant_id uuid,
  resolution text,
  resolution_note text,
  resolved_by uuid,
  resolved_at timestamp with time zone,
  constraint tool_calls_interaction_id_call_id_key UNIQUE (interaction_id, call_id),
  constraint tool_calls_pkey PRIMARY KEY (id),
  constraint tool_calls_grant_id_fkey FOREIGN KEY (grant_id) REFERENCES tool_grants(id) ON DELETE SET NULL,
  constraint tool_calls_interaction_id_fkey FOREIGN KEY (interaction_id) REFERENCES interactions(id) ON DELETE RESTRICT,
  constraint tool_calls_permission_id_fkey FOREIGN KEY (permission_id) REFERENCES tool_permissions(id) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED,
  constraint tool_calls_resolved_by_fkey FOREIGN KEY (resolved_by) REFERENCES users(id) ON DELETE RESTRICT,
  constraint tool_calls_call_id_check CHECK (((length(call_id) >= 1) AND (length(call_id) <= 200))),
  constraint tool_calls_check CHECK (((state = 'refused'::text) = (refusal_reason IS NOT NULL))),
  constraint tool_calls_check1 CHECK (((state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'refused'::text, 'unknown'::text])) = (finished_at IS NOT NULL))),
  constraint tool_calls_check2 CHECK (((state <> ALL (ARRAY['running'::text, 'succeeded'::text])) OR (started_at IS NOT NULL))),
  constraint tool_calls_refusal_reason_check CHECK ((refusal_reason = ANY (ARRAY['denied'::text, 'timeout'::text, 'withdrawn'::text, 'policy'::text]))),
  constraint tool_calls_resolution_check CHECK ((resolution = ANY (ARRAY['happened'::text, 'did_not_happen'::text, 'run_again'::text]))),
  constraint tool_calls_resolution_complete CHECK (((resolution IS NULL) = (resolved_at IS NULL))),
  constraint tool_calls_resolution_note_check CHECK ((length(resolution_note) <= 2000)),
  constraint tool_calls_resolution_of_unknown CHECK (((resolution IS NULL) OR (state = 'unknown'::text))),
  constraint tool_calls_state_check CHECK ((state = ANY (ARRAY['requested'::text, 'awaiting_permission'::text, 'running'::text, 'succeeded'::text, 'failed'::text, 'refused'::text, 'unknown'::text]))),
  constraint tool_calls_tool_name_check CHECK (((length(tool_name) >= 1) AND (length(tool_name) <= 200)))
);

create table tool_grants (
  id uuid not null default gen_random_uuid(),
  interaction_id uuid not null,
  permission_id uuid not null,
  tool_name text not null,
  definition_hash text not null,
  arguments jsonb not null,
  argument_range jsonb not null default '{}'::jsonb,
  granted_by uuid not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint tool_grants_permission_id_key UNIQUE (permission_id),
  constraint tool_grants_pkey PRIMARY KEY (id),
  constraint tool_grants_granted_by_fkey FOREIGN KEY (granted_by) REFERENCES users(id) ON DELETE RESTRICT,
  constraint tool_grants_interaction_id_fkey FOREIGN KEY (interaction_id) REFERENCES interactions(id) ON DELETE CASCADE,
  constraint tool_grants_permission_id_fkey FOREIGN KEY (permission_id) REFERENCES tool_permissions(id) ON DELETE CASCADE,
  constraint tool_grants_argument_range_check CHECK ((jsonb_typeof(argument_range) = 'object'::text))
);

create table tool_permissions (
  id uuid not null default gen_random_uuid(),
  interaction_id uuid not null,
  tool_call_id uuid not null,
  call_id text not null,
  tool_name text not null,
  tool_description text,
  arguments jsonb not null default '{}'::jsonb,
  arguments_hash text not null,
  edited_arguments jsonb,
  edited_hash text,
  requested_at timestamp with time zone not null default clock_timestamp(),
  expires_at timestamp with time zone not null,
  escalated_at timestamp with time zone,
  supervisor_response text,
  responded_at timestamp with time zone,
  decided_by uuid,
  note text,
  status text not null default 'pending'::text,
  created_at timestamp with time zone not null default clock_timestamp(),
  scope jsonb,
  scope_revoked_at timestamp with time zone,
  scope_revoked_by uuid,
  constraint tool_permissions_tool_call_id_key UNIQUE (tool_call_id),
  constraint tool_permissions_pkey PRIMARY KEY (id),
  constraint tool_permissions_decided_by_fkey FOREIGN KEY (decided_by) REFERENCES users(id) ON DELETE RESTRICT,
  constraint tool_permissions_interaction_id_fkey FOREIGN KEY (interaction_id) REFERENCES interactions(id) ON DELETE RESTRICT,
  constraint tool_permissions_scope_revoked_by_fkey FOREIGN KEY (scope_revoked_by) REFERENCES users(id) ON DELETE RESTRICT,
  constraint tool_permissions_tool_call_id_fkey FOREIGN KEY (tool_call_id) REFERENCES tool_calls(id) ON DELETE RESTRICT,
  constraint tool_permissions_check CHECK (((status = ANY (ARRAY['allowed'::text, 'denied'::text])) = (decided_by IS NOT NULL))),
  constraint tool_permissions_check1 CHECK (((status = 'pending'::text) = (responded_at IS NULL))),
  constraint tool_permissions_check2 CHECK ((NOT (supervisor_response IS DISTINCT FROM
CASE
    WHEN (status = ANY (ARRAY['pending'::text, 'withdrawn'::text])) THEN NULL::text
    ELSE status
END))),
  constraint tool_permissions_check3 CHECK (((edited_arguments IS NULL) = (edited_hash IS NULL))),
  constraint tool_permissions_check4 CHECK (((edited_arguments IS NULL) OR (status = 'allowed'::text))),
  constraint tool_permissions_check5 CHECK (((scope IS NULL) OR ((jsonb_typeof(scope) = 'object'::text) AND (status = 'allowed'::text)))),
  constraint tool_permissions_note_check CHECK ((length(note) <= 2000)),
  constraint tool_permissions_scope_revoked CHECK (((scope_revoked_at IS NULL) OR (scope IS NOT NULL))),
  constraint tool_permissions_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'allowed'::text, 'denied'::text, 'timeout'::text, 'withdrawn'::text]))),
  constraint tool_permissions_supervisor_response_check CHECK ((supervisor_response = ANY (ARRAY['allowed'::text, 'denied'::text, 'timeout'::text])))
);

create table tool_tokens (
  business_id uuid not null,
  server_key text not null,
  sealed text not null,
  version bigint not null default 1,
  updated_at timestamp with time zone not null default clock_timestamp(),
  constraint tool_tokens_pkey PRIMARY KEY (business_id, server_key),
  constraint tool_tokens_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT,
  constraint tool_tokens_sealed_check CHECK ((length(sealed) <= 100000)),
  constraint tool_tokens_server_key_check CHECK (((length(server_key) >= 1) AND (length(server_key) <= 200)))
);

create table users (
  id uuid not null,
  business_id uuid not null,
  email text not null,
  role text not null,
  name text not null,
  username text,
  supervisor_type text,
  last_seen_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  deleted_at timestamp with time zone,
  constraint users_pkey PRIMARY KEY (id),
  constraint users_business_id_fkey FOREIGN KEY (business_id) REFERENCES businesses(id) ON DELETE RESTRICT,
  constraint users_id_fkey FOREIGN KEY (id) REFERENCES auth.users(id) ON DELETE RESTRICT,
  constraint check_supervisor_fields CHECK ((((role = 'supervisor'::text) AND (username IS NOT NULL) AND (supervisor_type IS NOT NULL)) OR ((role = 'admin'::text) AND (username IS NULL) AND (supervisor_type IS NULL)))),
  constraint users_email_check CHECK (((length(email) >= 3) AND (length(email) <= 320))),
  constraint users_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
  constraint users_role_check CHECK ((role = ANY (ARRAY['admin'::text, 'supervisor'::text]))),
  constraint users_supervisor_type_check CHECK ((supervisor_type = ANY (ARRAY['voice'::text, 'chat'::text]))),
  constraint users_username_check CHECK (((length(username) >= 1) AND (length(username) <= 100)))
);

create table whispers (
  id uuid not null default gen_random_uuid(),
  interaction_id uuid not null,
  kind text not null default 'whisper'::text,
  content text not null,
  by_id uuid not null,
  by_name text not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  delivered_at timestamp with time zone,
  constraint whispers_pkey PRIMARY KEY (id),
  constraint whispers_by_id_fkey FOREIGN KEY (by_id) REFERENCES users(id) ON DELETE RESTRICT,
  constraint whispers_interaction_id_fkey FOREIGN KEY (interaction_id) REFERENCES interactions(id) ON DELETE RESTRICT,
  constraint whispers_content_check CHECK (((length(content) >= 1) AND (length(content) <= 2000))),
  constraint whispers_kind_check CHECK ((kind = ANY (ARRAY['whisper'::text, 'hand_back'::text])))
);

-- Indexes

CREATE INDEX idx_agent_days ON floorwalker.agent_days USING btree (agent_id, day);

CREATE INDEX idx_agent_days_unfolded ON floorwalker.agent_days USING btree (agent_id, day) WHERE (NOT folded);

CREATE INDEX idx_agent_tools_requires_permission ON public.agent_tools USING btree (requires_permission);

CREATE INDEX idx_agents_business ON public.agents USING btree (business_id);

CREATE INDEX idx_agents_cover_id ON public.agents USING btree (cover_id) WHERE (cover_id IS NOT NULL);

CREATE INDEX idx_agents_status ON public.agents USING btree (status);

CREATE INDEX idx_agents_supervisor_id ON public.agents USING btree (supervisor_id);

CREATE UNIQUE INDEX idx_appointment_calendars_name ON public.appointment_calendars USING btree (business_id, lower(name));

CREATE INDEX idx_appointment_requests_appointment ON public.appointment_requests USING btree (appointment_id);

CREATE INDEX idx_appointments_customer ON public.appointments USING btree (business_id, customer_phone, starts_at);

CREATE INDEX idx_archive_search ON floorwalker.archive_search USING gin (words, keys);

CREATE INDEX idx_archives_agent_newest ON public.interaction_archives USING btree (agent_id, kind, happened_at DESC, interaction_id DESC) INCLUDE (interaction_status, csat_score, fcr_status);

CREATE INDEX idx_archives_business ON public.interaction_archives USING btree (business_id, created_at DESC);

CREATE INDEX idx_archives_business_newest ON public.interaction_archives USING btree (business_id, kind, happened_at DESC, interaction_id DESC) INCLUDE (interaction_status, csat_score, fcr_status);

CREATE INDEX idx_archives_created_at ON public.interaction_archives USING btree (created_at DESC);

CREATE INDEX idx_archives_fcr_status ON public.interaction_archives USING btree (fcr_status);

CREATE INDEX idx_archives_issues_gin ON public.interaction_archives USING gin (issues);

CREATE INDEX idx_archives_tags_gin ON public.interaction_archives USING gin (tags);

CREATE INDEX idx_audit_events_action ON public.audit_events USING btree (business_id, action, id DESC);

CREATE INDEX idx_audit_events_actor ON public.audit_events USING btree (business_id, actor_id, id DESC);

CREATE INDEX idx_audit_events_business ON public.audit_events USING btree (business_id, created_at DESC);

CREATE INDEX idx_audit_events_newest ON public.audit_events USING btree (business_id, id DESC);

CREATE INDEX idx_audit_events_subject ON public.audit_events USING btree (subject_type, subject_id);

CREATE INDEX idx_callback_requests_agent ON public.callback_requests USING btree (agent_id, requested_at DESC);

CREATE INDEX idx_callback_requests_business ON public.callback_requests USING btree (business_id, requested_at DESC);

CREATE UNIQUE INDEX idx_callback_requests_open ON public.callback_requests USING btree (interaction_id) WHERE (done_at IS NULL);

CREATE INDEX idx_crm_health_scores_customer ON public.crm_health_scores USING btree (customer_id, calculated_at DESC);

CREATE INDEX idx_crm_notes_customer ON public.crm_notes USING btree (customer_id, created_at DESC);

CREATE INDEX idx_crm_profiles_renewal ON public.crm_profiles USING btree (business_id, renewal_date);

CREATE INDEX idx_crm_risk_signals_open ON public.crm_risk_signals USING btree (customer_id) WHERE (resolved_at IS NULL);

CREATE INDEX idx_deletion_receipts_business ON public.deletion_receipts USING btree (business_id, deleted_at DESC);

CREATE INDEX idx_interaction_steps_order ON public.interaction_steps USING btree (interaction_id, happened_at, id);

CREATE INDEX idx_interactions_address ON public.interactions USING btree (address_hash, created_at DESC) WHERE (address_hash IS NOT NULL);

CREATE INDEX idx_interactions_agent_newest ON public.interactions USING btree (agent_id, created_at DESC, id DESC);

CREATE INDEX idx_interactions_agent_status ON public.interactions USING btree (agent_id, status, started_at DESC);

CREATE INDEX idx_interactions_business_created ON public.interactions USING btree (business_id, created_at DESC);

CREATE INDEX idx_interactions_business_started ON public.interactions USING btree (business_id, started_at) WHERE (kind = 'live'::text);

CREATE INDEX idx_interactions_channel_newest ON public.interactions USING btree (interaction_type, created_at DESC, id DESC);

CREATE INDEX idx_interactions_customer ON public.interactions USING btree (customer_id) WHERE (customer_id IS NOT NULL);

CREATE INDEX idx_interactions_failed ON public.interactions USING btree (created_at DESC, id DESC) WHERE (status = 'failed'::text);

CREATE INDEX idx_interactions_newest ON public.interactions USING btree (created_at DESC, id DESC);

CREATE INDEX idx_interactions_open ON public.interactions USING btree (queued_at) WHERE (status = ANY (ARRAY['queued'::text, 'active'::text]));

CREATE INDEX idx_interactions_phone_date ON public.interactions USING btree (business_id, phone_number, started_at DESC);

CREATE INDEX idx_interactions_rehearsals ON public.interactions USING btree (created_at DESC, id DESC) WHERE (kind = 'rehearsal'::text);

CREATE INDEX idx_interactions_retention ON public.interactions USING btree (business_id, ended_at) WHERE (purged_at IS NULL);

CREATE INDEX idx_interactions_transcript_retention ON public.interactions USING btree (business_id, ended_at) WHERE ((purged_at IS NULL) AND (transcript_purged_at IS NULL));

CREATE INDEX idx_knowledge_chunks_business ON public.knowledge_chunks USING btree (business_id);

CREATE INDEX idx_knowledge_chunks_words ON public.knowledge_chunks USING gin (words);

CREATE INDEX idx_realtime_metrics_cleanup ON public.realtime_metrics USING btree (created_at);

CREATE INDEX idx_realtime_metrics_timestamp ON public.realtime_metrics USING btree ("timestamp" DESC);

CREATE INDEX idx_shop_orders_customer ON public.shop_orders USING btree (business_id, customer_phone, placed_at DESC);

CREATE INDEX idx_shop_refunds_order_id ON public.shop_refunds USING btree (order_id);

CREATE INDEX idx_tool_calls_open ON public.tool_calls USING btree (interaction_id) WHERE (state = ANY (ARRAY['requested'::text, 'awaiting_permission'::text, 'running'::text]));

CREATE INDEX idx_tool_calls_unknown ON public.tool_calls USING btree (interaction_id) WHERE (state = 'unknown'::text);

CREATE INDEX idx_tool_grants_interaction_id ON public.tool_grants USING btree (interaction_id);

CREATE INDEX idx_tool_permissions_due ON public.tool_permissions USING btree (expires_at) WHERE (status = 'pending'::text);

CREATE INDEX idx_tool_permissions_interaction_id ON public.tool_permissions USING btree (interaction_id);

CREATE INDEX idx_tool_permissions_requested_at ON public.tool_permissions USING btree (requested_at DESC);

CREATE INDEX idx_tool_permissions_status ON public.tool_permissions USING btree (status);

CREATE INDEX idx_users_business_role ON public.users USING btree (business_id, role);

CREATE UNIQUE INDEX idx_users_email ON public.users USING btree (lower(email));

CREATE INDEX idx_users_supervisor_type ON public.users USING btree (business_id, supervisor_type) WHERE (supervisor_type IS NOT NULL);

CREATE UNIQUE INDEX idx_users_username_supervisor ON public.users USING btree (business_id, username) WHERE (role = 'supervisor'::text);

CREATE INDEX idx_whispers_interaction ON public.whispers USING btree (interaction_id, created_at);

CREATE INDEX idx_whispers_waiting ON public.whispers USING btree (interaction_id) WHERE (delivered_at IS NULL);

-- Views

create view agent_performance with (security_invoker=true) as
 SELECT a.id AS agent_id,
    a.name AS agent_name,
    a.supervisor_id,
    a.status,
    count(i.id) AS total_interactions,
    avg(ia.csat_score) AS avg_csat,
    avg(i.duration_seconds) AS avg_handle_time,
    count(*) FILTER (WHERE ia.fcr_status)::double precision / NULLIF(count(ia.id), 0)::double precision * 100::double precision AS fcr_percentage
   FROM agents a
     LEFT JOIN interactions i ON i.agent_id = a.id AND i.status = 'completed'::text AND i.kind = 'live'::text
     LEFT JOIN interaction_archives ia ON ia.interaction_id = i.id
  WHERE a.deleted_at IS NULL
  GROUP BY a.id;

create view live_interactions with (security_invoker=true) as
 SELECT i.id AS interaction_id,
    i.business_id,
    i.agent_id,
    a.name AS agent_name,
    a.supervisor_id,
    a.cover_id,
    i.interaction_type,
    i.status,
    i.paused,
    i.control,
    i.controlled_by,
    i.customer_id,
    i.phone_number,
    i.queued_at,
    i.started_at,
    i.supervisor_requested_at,
    m."timestamp" AS measured_at,
    m.sentiment,
    m.satisfaction_score,
    m.feed_text
   FROM interactions i
     JOIN agents a ON a.id = i.agent_id
     LEFT JOIN LATERAL ( SELECT r."timestamp",
            r.sentiment,
            r.satisfaction_score,
            r.feed_text
           FROM realtime_metrics r
          WHERE r.interaction_id = i.id
          ORDER BY r."timestamp" DESC
         LIMIT 1) m ON true
  WHERE (i.status = ANY (ARRAY['queued'::text, 'active'::text])) AND i.kind = 'live'::text;

create view supervisor_performance with (security_invoker=true) as
 SELECT u.id AS supervisor_id,
    u.name AS supervisor_name,
    u.supervisor_type,
    count(DISTINCT a.id) FILTER (WHERE a.deleted_at IS NULL) AS total_agents,
    count(i.id) AS total_interactions,
    count(i.id) FILTER (WHERE i.status = 'active'::text) AS active_interactions,
    avg(ia.csat_score) AS avg_csat,
    avg(ia.resolution_time_seconds) AS avg_resolution_time,
    count(*) FILTER (WHERE ia.fcr_status)::double precision / NULLIF(count(ia.id), 0)::double precision * 100::double precision AS fcr_percentage
   FROM users u
     LEFT JOIN agents a ON a.supervisor_id = u.id
     LEFT JOIN interactions i ON i.agent_id = a.id AND i.kind = 'live'::text
     LEFT JOIN interaction_archives ia ON ia.interaction_id = i.id
  WHERE u.role = 'supervisor'::text AND u.deleted_at IS NULL
  GROUP BY u.id;

-- Functions

CREATE OR REPLACE FUNCTION floorwalker.active_interaction_for_actor(p_interaction_id uuid)
 RETURNS interactions
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions := floorwalker.interaction_for_actor(p_interaction_id);
begin
  if mine.status <> 'active' then
    perform floorwalker.fail('interaction_not_active', 'Only in a conversation that is going on.',
      jsonb_build_object('status', mine.status));
  end if;
  return mine;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.actor()
 RETURNS users
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select u from users u where u.id = (select floorwalker.actor_id()) and u.deleted_at is null
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.actor_business()
 RETURNS uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select business_id from users where id = (select floorwalker.actor_id()) and deleted_at is null
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.actor_id()
 RETURNS uuid
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  me uuid := auth.uid();
  has_factor boolean;
begin
  if me is null or to_regclass('auth.mfa_factors') is null then
    return me;
  end if;
  if auth.jwt() ->> 'aal' = 'aal2' then
    return me;
  end if;
  execute 'select exists (select from auth.mfa_factors where user_id = $1 and status = ''verified'')'
    into has_factor using me;
  if has_factor then
    perform floorwalker.fail('second_factor_required',
      'This account has a second factor, and this sign-in was without it.');
  end if;
  return me;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.admin_business()
 RETURNS uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select business_id from users where id = (select floorwalker.actor_id()) and deleted_at is null and role = 'admin'
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.agent_definition(p_agent_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select jsonb_build_object(
    'slug', a.slug, 'name', a.name, 'agent_type', a.agent_type, 'language', a.language, 'public', a.public,
    'max_concurrent_interactions', a.max_concurrent_interactions, 'greeting', a.greeting,
    'system_prompt', a.system_prompt, 'model_settings', a.model_settings, 'voice_settings', a.voice_settings,
    'supervisor_id', a.supervisor_id, 'cover_id', a.cover_id,
    'tools', coalesce((
      select jsonb_agg(jsonb_build_object('tool_name', t.tool_name, 'requires_permission', t.requires_permission,
        'tool_config', t.tool_config) order by t.tool_name) from agent_tools t where t.agent_id = a.id), '[]'))
  from agents a where a.id = p_agent_id
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.agent_for_actor(p_agent_id uuid)
 RETURNS agents
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  found_row agents;
begin
  perform floorwalker.require_actor();
  select * into found_row from agents
  where id = p_agent_id and deleted_at is null and id = any (floorwalker.visible_agents()) for no key update;
  if not found then
    perform floorwalker.fail('agent_not_found', 'There is no such agent.');
  end if;
  return found_row;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.agent_sums(p_business_id uuid, p_from timestamp with time zone, p_agents uuid[] DEFAULT NULL::uuid[])
 RETURNS TABLE(agent_id uuid, calls bigint, seconds bigint, archives bigint, first_contact bigint, rated bigint, csat numeric)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select a.id, coalesce(sum(d.calls), 0)::bigint, coalesce(sum(d.seconds), 0)::bigint, coalesce(sum(d.archives), 0)::bigint,
    coalesce(sum(d.first_contact), 0)::bigint, coalesce(sum(d.rated), 0)::bigint, coalesce(sum(d.csat), 0)
  from agents a
  left join floorwalker.agent_days d on d.agent_id = a.id and d.day >= floorwalker.day_of(p_business_id, p_from)
  where a.business_id = p_business_id and (p_agents is null or a.id = any (p_agents))
  group by a.id
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.apply_policy(p_business businesses, p_limit integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  due record;
  purged bigint := 0;
  transcripts bigint := 0;
  removed_metrics bigint;
  removed_customers bigint := 0;
  shortest constant integer := least(floorwalker.retention_figure(p_business.retention, 'archives_days', 90),
    floorwalker.retention_figure(p_business.retention, 'failed_rehearsals_days', 365),
    floorwalker.retention_figure(p_business.retention, 'rehearsals_days', 730));
  shortest_transcript constant integer :=
    least(shortest, floorwalker.retention_figure(p_business.retention, 'transcripts_days', shortest));
  certain constant timestamptz := clock_timestamp() - make_interval(days => shortest);
  certain_transcript constant timestamptz := clock_timestamp() - make_interval(days => shortest_transcript);
begin
  for due in
    select i.id, i.customer_id from interactions i
    where i.business_id = p_business.id and i.purged_at is null
      -- What is certainly kept need not be looked at.
      and i.ended_at < certain
      and i.ended_at < clock_timestamp() - make_interval(days => floorwalker.keep_days(p_business, i))
    order by i.agent_id, i.id limit p_limit for update of i skip locked
  loop
    perform floorwalker.purge_interaction(due.id);
    purged := purged + 1;
  end loop;
  for due in
    select i.id from interactions i
    where i.business_id = p_business.id and i.purged_at is null and i.transcript_purged_at is null
      and i.ended_at < certain_transcript
      and floorwalker.keep_transcript_days(p_business, i) < floorwalker.keep_days(p_business, i)
      and i.ended_at < clock_timestamp() - make_interval(days => floorwalker.keep_transcript_days(p_business, i))
    order by i.agent_id, i.id limit p_limit - purged for update of i skip locked
  loop
    perform floorwalker.purge_transcript(due.id);
    transcripts := transcripts + 1;
  end loop;
  removed_metrics := floorwalker.expire_metrics(p_business.id, clock_timestamp() - make_interval(
    hours => least(24, floorwalker.retention_figure(p_business.retention, 'metrics_hours', 24))), p_limit * 100);
  if purged > 0 then
    -- Customers of whom nothing is left.
    delete from customers c where c.business_id = p_business.id and c.created_at < clock_timestamp() - interval '90 days'
      and not exists (select from interactions i where i.customer_id = c.id);
    get diagnostics removed_customers = row_count;
    perform floorwalker.audit(p_business.id, 'retention.deleted', 'interactions', p_business.id::text,
      jsonb_build_object('interactions', purged));
  end if;
  perform floorwalker.count_retention(p_business.id, purged, transcripts, removed_metrics, removed_customers);
  return jsonb_build_object('interactions', purged, 'transcripts', transcripts, 'metrics', removed_metrics,
    'customers', removed_customers,
    'more', purged + transcripts >= p_limit or removed_metrics >= p_limit * 100);
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.apply_tools(p_agent_id uuid, p_tools jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  removed integer;
  written integer;
begin
  delete from agent_tools where agent_id = p_agent_id
    and tool_name not in (select t ->> 'tool_name' from jsonb_array_elements(p_tools) t);
  get diagnostics removed = row_count;
  insert into agent_tools as mine (agent_id, tool_name, tool_config, requires_permission)
  select p_agent_id, t ->> 'tool_name', coalesce(t -> 'tool_config', '{}'), coalesce((t ->> 'requires_permission')::boolean, true)
  from jsonb_array_elements(p_tools) t
  on conflict (agent_id, tool_name) do update
    set tool_config = excluded.tool_config, requires_permission = excluded.requires_permission
    where (mine.tool_config, mine.requires_permission) is distinct from (excluded.tool_config, excluded.requires_permission);
  get diagnostics written = row_count;
  return removed + written > 0;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.appointment_view(p_appointment appointments)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select jsonb_build_object('reference', p_appointment.reference, 'calendar', c.name, 'status', p_appointment.status,
    'starts_at', to_char(p_appointment.starts_at at time zone b.time_zone, 'YYYY-MM-DD"T"HH24:MI'),
    'ends_at', to_char(p_appointment.ends_at at time zone b.time_zone, 'YYYY-MM-DD"T"HH24:MI'),
    'weekday', to_char(p_appointment.starts_at at time zone b.time_zone, 'FMDay'), 'time_zone', b.time_zone,
    'reason', p_appointment.reason)
  from appointment_calendars c join businesses b on b.id = c.business_id where c.id = p_appointment.calendar_id
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.archive_conditions(p_filter jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  digits text := regexp_replace(regexp_replace(p_filter ->> 'phone', '\D', '', 'g'), '^0+', '');
  keys text[] := array['kind:' || coalesce(p_filter ->> 'kind', 'live')];
  name text;
begin
  if digits is not null and length(digits) < 3 then
    perform floorwalker.fail('search_invalid', 'A part of a phone number has at least three digits, leading zeros aside.');
  end if;
  foreach name in array array['tag', 'issue', 'issue_status', 'sentiment'] loop
    if p_filter ->> name is not null then
      keys := keys || (name || ':' || (p_filter ->> name));
    end if;
  end loop;
  return jsonb_build_object('keys', to_jsonb(keys || coalesce(floorwalker.phone_keys(digits), '{}')), 'digits', digits,
    'text', left(nullif(btrim(p_filter ->> 'text'), ''), 200),
    -- With nothing but a kind, each archive of the walk is a hit.
    'filters', digits is not null or cardinality(keys) > 1 or nullif(btrim(p_filter ->> 'text'), '') is not null);
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.as_number(p_value jsonb)
 RETURNS numeric
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select case
    when jsonb_typeof(p_value) = 'number' then (p_value #>> '{}')::numeric
    when jsonb_typeof(p_value) = 'string' and length(p_value #>> '{}') <= 40 and (p_value #>> '{}') ~ '^\s*-?\d+(\.\d+)?\s*$'
      then (p_value #>> '{}')::numeric
  end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.audit(p_business_id uuid, p_action text, p_subject_type text, p_subject_id text, p_details jsonb DEFAULT '{}'::jsonb)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  insert into audit_events (business_id, actor_id, actor_kind, action, subject_type, subject_id, details)
  values (p_business_id, auth.uid(), case when auth.uid() is null then 'service' else 'user' end,
    p_action, p_subject_type, p_subject_id, coalesce(p_details, '{}'))
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.audit_row()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  before_row jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
  after_row jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
  difference jsonb := floorwalker.row_difference(before_row, after_row);
  any_row jsonb := coalesce(after_row, before_row);
  business uuid;
begin
  if difference = '{}' then
    return null;
  end if;
  if tg_table_name = 'agent_tools' then
    select business_id into business from agents where id = (any_row ->> 'agent_id')::uuid;
  else
    business := (any_row ->> 'business_id')::uuid;
  end if;
  perform floorwalker.audit(business,
    case tg_table_name when 'users' then 'person' when 'agents' then 'agent' else 'tool' end || '.' ||
      case tg_op when 'INSERT' then 'created' when 'UPDATE' then 'changed' else 'removed' end,
    tg_table_name, any_row ->> 'id', difference);
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.calendar_open(p_calendar appointment_calendars, p_from timestamp without time zone, p_to timestamp without time zone)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select p_to > p_from and p_from::date = (p_to - interval '1 microsecond')::date and not p_from::date = any (p_calendar.holidays)
    and exists (select from jsonb_array_elements(coalesce(p_calendar.hours -> lower(to_char(p_from, 'Dy')), '[]')) as open
      where p_from >= p_from::date + (open ->> 0)::interval and p_to <= p_from::date + (open ->> 1)::interval)
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.call_row(p_call tool_calls)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select to_jsonb(p_call) || jsonb_build_object('permission', (
    select to_jsonb(p) from tool_permissions p where p.id = p_call.permission_id))
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.check_agent_people()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  person users;
begin
  if new.deleted_at is not null then
    return new;
  end if;

  select * into person from users where id = new.supervisor_id for no key update;
  if not found or person.role <> 'supervisor' or person.deleted_at is not null
    or person.business_id <> new.business_id or person.supervisor_type <> new.agent_type then
    perform floorwalker.fail('supervisor_invalid', format(
      'Agent "%s" needs a %s supervisor of its own business.', new.name, new.agent_type));
  end if;
  if (select count(*) from agents a
      where a.supervisor_id = new.supervisor_id and a.id <> new.id and a.deleted_at is null) >= 3 then
    perform floorwalker.fail('too_many_agents', format(
      'Supervisor %s already has three agents.', person.username), jsonb_build_object('supervisor_id', person.id));
  end if;

  if new.cover_id is not null then
    select * into person from users where id = new.cover_id for key share;
    if not found or person.role <> 'supervisor' or person.deleted_at is not null
      or person.business_id <> new.business_id or person.supervisor_type <> new.agent_type then
      perform floorwalker.fail('cover_invalid', format(
        'The cover of agent "%s" must be another %s supervisor of the same business.', new.name, new.agent_type));
    end if;
  end if;
  return new;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.check_appointment()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  calendar appointment_calendars;
  zone text;
begin
  if new.status = 'confirmed' then
    select * into calendar from appointment_calendars where id = new.calendar_id;
    select time_zone into zone from businesses where id = new.business_id;
    if found and calendar.id is not null and not floorwalker.calendar_open(calendar,
        new.starts_at at time zone zone, new.ends_at at time zone zone) then
      raise exception using errcode = '23514', message = 'appointment_closed',
        detail = 'The calendar is closed at that time.', constraint = 'appointment_closed';
    end if;
  end if;
  return new;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.check_limits(p_business businesses, p_agent_id uuid, p_address_hash text, p_limits jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  -- Kept: what calls the clock itself can't be looked up in an index.
  moment constant timestamptz := clock_timestamp();
  minute_ago constant timestamptz := moment - interval '1 minute';
  today constant timestamptz := date_trunc('day', moment at time zone p_business.time_zone) at time zone p_business.time_zone;
  most numeric;
  recent timestamptz[];
  minutes numeric;
begin
  most := floorwalker.limit_of(p_business.limits, p_limits, 'per_address_per_minute');
  if p_address_hash is not null and most is not null then
    select array_agg(created_at) into recent from interactions
    where address_hash = p_address_hash and business_id = p_business.id
      and created_at > minute_ago;
    if coalesce(cardinality(recent), 0) >= most then
      perform floorwalker.fail('rate_limited', 'Too many conversations were started from this address.',
        jsonb_build_object('limit', 'per_address_per_minute', 'retry_after_seconds', floorwalker.seconds_until_free(recent, most)));
    end if;
  end if;

  most := floorwalker.limit_of(p_business.limits, p_limits, 'per_address_open');
  if p_address_hash is not null and most is not null and most <= (
    select count(*) from interactions where address_hash = p_address_hash and business_id = p_business.id
      and status in ('queued', 'active')) then
    perform floorwalker.fail('rate_limited', 'Too many conversations are open from this address; end one first.',
      jsonb_build_object('limit', 'per_address_open', 'retry_after_seconds', 30));
  end if;

  most := floorwalker.limit_of(p_business.limits, p_limits, 'per_agent_per_minute');
  if most is not null then
    select array_agg(created_at) into recent from interactions
    where agent_id = p_agent_id and created_at > minute_ago;
    if coalesce(cardinality(recent), 0) >= most then
      perform floorwalker.fail('rate_limited', 'This agent is asked for by too many people at once.',
        jsonb_build_object('limit', 'per_agent_per_minute', 'retry_after_seconds', floorwalker.seconds_until_free(recent, most)));
    end if;
  end if;

  most := floorwalker.limit_of(p_business.limits, p_limits, 'per_business_open');
  if most is not null and most <= (
    select count(*) from interactions where business_id = p_business.id and status in ('queued', 'active')) then
    perform floorwalker.fail('business_limit_reached', 'All lines of this business are taken.',
      jsonb_build_object('limit', 'per_business_open', 'retry_after_seconds', 30));
  end if;

  most := floorwalker.limit_of(p_business.limits, p_limits, 'per_business_minutes_per_day');
  if most is not null then
    select coalesce(sum(extract(epoch from coalesce(ended_at, moment) - started_at)), 0) / 60 into minutes
    from interactions
    where business_id = p_business.id and kind = 'live' and started_at >= today;
    if minutes >= most then
      perform floorwalker.fail('business_limit_reached', 'This business has used its minutes of today.',
        jsonb_build_object('limit', 'per_business_minutes_per_day', 'retry_after_seconds', 3600));
    end if;
  end if;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.check_origins(p_origins text[])
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  odd text;
begin
  select o into odd from unnest(p_origins) o
  where o is null or length(o) > 255 or not (o = '*' or o ~ '^https?://(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:[0-9]{1,5})?$') limit 1;
  if odd is not null or cardinality(p_origins) > 100 or array_position(p_origins, null) is not null then
    perform floorwalker.fail('invalid_origin', format(
      '"%s" is not an origin; write scheme and host alone, such as https://shop.example, at most 100 of them.', left(odd, 100)));
  end if;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.check_person_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  supervised jsonb;
begin
  if new.role is distinct from old.role or new.supervisor_type is distinct from old.supervisor_type
    or new.business_id <> old.business_id or (new.deleted_at is not null and old.deleted_at is null) then
    select jsonb_agg(jsonb_build_object('id', id, 'name', name) order by name) into supervised
    from agents where supervisor_id = new.id and deleted_at is null;
    if supervised is not null then
      perform floorwalker.fail('supervisor_has_agents', format(
        '%s still supervises %s; give them to another supervisor first.', old.name,
        (select string_agg(a ->> 'name', ', ') from jsonb_array_elements(supervised) a)),
        jsonb_build_object('agents', supervised));
    end if;
    update agents set cover_id = null where cover_id = new.id and deleted_at is null;
  end if;
  return new;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.check_result(p_result jsonb)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select case
    when coalesce(length(btrim(p_result ->> 'summary')), 0) = 0 then 'summary is empty'
    when jsonb_typeof(p_result -> 'issues') is distinct from 'array' then 'issues is not a list'
    when jsonb_typeof(p_result #> '{tags,topics}') is distinct from 'array' then 'tags.topics is not a list'
    when jsonb_typeof(p_result #> '{tags,issues}') is distinct from 'array' then 'tags.issues is not a list'
    when exists (select from jsonb_array_elements(p_result -> 'issues') i where coalesce(i ->> 'issue', '') = ''
      or i ->> 'status' is null or i ->> 'status' not in ('resolved', 'unresolved')
      or i ->> 'priority' is null or i ->> 'priority' not in ('low', 'medium', 'high'))
      then 'an issue needs issue, status (resolved, unresolved) and priority (low, medium, high)'
    when exists (select from jsonb_array_elements(p_result #> '{tags,issues}') i where coalesce(i ->> 'tag', '') = ''
      or i ->> 'status' is null or i ->> 'status' not in ('resolved', 'unresolved'))
      then 'an entry of tags.issues needs tag and status (resolved, unresolved)'
  end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.check_retention(p_retention jsonb)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  figure record;
begin
  for figure in
    select e.key, e.value, case when e.key = 'metrics_hours' then 24 else 3650 end as most from jsonb_each(p_retention) e
  loop
    if figure.key not in ('archives_days', 'transcripts_days', 'rehearsals_days', 'failed_rehearsals_days', 'metrics_hours') then
      perform floorwalker.fail('invalid_retention', format('There is no "%s" to keep.', left(figure.key, 40)));
    end if;
    if jsonb_typeof(figure.value) <> 'number' or figure.value::text !~ '^[0-9]{1,4}$'
      or figure.value::text::integer not between 1 and figure.most then
      perform floorwalker.fail('invalid_retention', format('%s is a whole number from 1 to %s.', figure.key, figure.most));
    end if;
  end loop;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.check_scope(p_scope jsonb, p_arguments jsonb)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  item record;
  fits boolean;
begin
  fits := jsonb_typeof(p_scope) = 'object' and p_scope ->> 'kind' = 'interaction'
    and jsonb_typeof(coalesce(p_scope -> 'arguments', '{}')) = 'object';
  if fits then
    for item in select key, value from jsonb_each(coalesce(p_scope -> 'arguments', '{}')) loop
      fits := fits and (select count(*) = 1 from jsonb_object_keys(item.value)) and coalesce(case
        when item.value ? 'any' then item.value -> 'any' = 'true'
        when item.value ? 'one_of' then jsonb_typeof(item.value -> 'one_of') = 'array'
          and (item.value -> 'one_of') @> jsonb_build_array(coalesce(p_arguments -> item.key, 'null'))
        when item.value ? 'at_most' then floorwalker.as_number(p_arguments -> item.key)
          between 0 and floorwalker.as_number(item.value -> 'at_most')
        end, false);
    end loop;
  end if;
  if not coalesce(fits, false) then
    perform floorwalker.fail('invalid_decision',
      'The scope is {"kind": "interaction", "arguments": {name: {"any": true} | {"at_most": number} | {"one_of": [values]}}}, and covers what is approved.');
  end if;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.check_time_zone()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if not exists (select from pg_timezone_names where name = new.time_zone) then
    perform floorwalker.fail('invalid_time_zone',
      format('"%s" is not a time zone; write one such as Europe/Amsterdam.', new.time_zone));
  end if;
  return new;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.check_tool_business(p_business_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  claims jsonb := coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}');
begin
  if current_setting('role', true) like 'floorwalker\_%' and claims ->> 'business_id' is distinct from p_business_id::text then
    perform floorwalker.fail('not_allowed', 'The token of this tool server is for another business.');
  end if;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.check_tool_changes(p_agent_id uuid, p_tools jsonb, p_is_admin boolean)
 RETURNS void
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  inline text[];
  reaching text[];
  ungated text[];
  expands boolean := jsonb_path_exists(p_tools, '$[*].tool_config.expand ? (@ == true)');
begin
  select array_agg(w.name) into inline
  from (select t ->> 'tool_name' as name, t -> 'tool_config' as config from jsonb_array_elements(p_tools) t) w
  left join agent_tools mine on mine.agent_id = p_agent_id and mine.tool_name = w.name
  where floorwalker.is_inline_command(w.config) and mine.tool_config is distinct from w.config;
  if inline is not null then
    perform floorwalker.fail('inline_command_refused', format(
      'A command for the worker can not be written here (%s); name a server that the operator has defined.',
      array_to_string(inline, ', ')), jsonb_build_object('tools', to_jsonb(inline)));
  end if;
  if p_is_admin then
    return;
  end if;

  select array_agg(w.name) into reaching
  from (select t ->> 'tool_name' as name, t -> 'tool_config' as config from jsonb_array_elements(p_tools) t) w
  left join agent_tools mine on mine.agent_id = p_agent_id and mine.tool_name = w.name
  where mine.tool_config is distinct from w.config;
  if reaching is not null then
    perform floorwalker.fail('tool_change_not_allowed', format(
      'Only an admin may add a tool or change what it reaches (%s).', array_to_string(reaching, ', ')),
      jsonb_build_object('tools', to_jsonb(reaching), 'change', 'endpoint'));
  end if;

  select array_agg(mine.tool_name order by mine.tool_name) into ungated
  from agent_tools mine
  left join (select t ->> 'tool_name' as name, (t ->> 'requires_permission')::boolean as gated
    from jsonb_array_elements(p_tools) t) w on w.name = mine.tool_name
  where mine.agent_id = p_agent_id and (
    (mine.requires_permission and not coalesce(w.gated, false))
    or (w.name is null and expands and mine.tool_config ?| array['policy', 'bind']));
  if ungated is not null then
    perform floorwalker.fail('tool_change_not_allowed', format(
      'Only an admin may remove a gate (%s).', array_to_string(ungated, ', ')),
      jsonb_build_object('tools', to_jsonb(ungated), 'change', 'gate'));
  end if;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.check_username(p_business_id uuid, p_username text, p_of uuid)
 RETURNS void
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if exists (select from users where business_id = p_business_id and username = p_username and id is distinct from p_of) then
    perform floorwalker.fail('username_taken', format('The username "%s" is taken in this business.', p_username));
  end if;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.check_vocabulary(p_vocabulary jsonb)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  part text;
  odd text;
begin
  foreach part in array array['topics', 'issues'] loop
    if jsonb_typeof(p_vocabulary -> part) is distinct from 'array' or jsonb_array_length(p_vocabulary -> part) > 500 then
      perform floorwalker.fail('invalid_vocabulary', format('%s is a list of at most 500 tags.', part));
    end if;
    select coalesce(t #>> '{}', 'null') into odd from jsonb_array_elements(p_vocabulary -> part) t
    where jsonb_typeof(t) <> 'string' or t #>> '{}' !~ '^[a-z0-9][a-z0-9_]{0,59}$' limit 1;
    if odd is not null then
      perform floorwalker.fail('invalid_vocabulary', format('"%s" is not a tag; write lower_snake_case.', left(odd, 60)));
    end if;
    select t #>> '{}' into odd from jsonb_array_elements(p_vocabulary -> part) t group by 1 having count(*) > 1 limit 1;
    if odd is not null then
      perform floorwalker.fail('invalid_vocabulary', format('"%s" is there twice.', odd));
    end if;
  end loop;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.check_whisper(p_text text)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if coalesce(btrim(p_text), '') = '' or length(p_text) > 2000 then
    perform floorwalker.fail('invalid_whisper', 'What the agent is told has 1 to 2,000 characters.');
  end if;
  return btrim(p_text);
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.comparable_definition(p_definition jsonb)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select (p_definition - 'tools') || coalesce((
    select jsonb_object_agg('tools.' || (t ->> 'tool_name'), t - 'tool_name')
    from jsonb_array_elements(p_definition -> 'tools') t), '{}')
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.condition_holds(p_condition jsonb, p_value jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  holds boolean := true;
  amount numeric := floorwalker.as_number(p_value);
begin
  if p_condition ? 'present' then
    holds := holds and ((p_value is not null and p_value <> 'null') = (p_condition ->> 'present')::boolean);
  end if;
  if p_condition ? 'equals' then
    holds := holds and coalesce(p_value, 'null') = p_condition -> 'equals';
  end if;
  if p_condition ? 'one_of' then
    holds := holds and (p_condition -> 'one_of') @> jsonb_build_array(coalesce(p_value, 'null'));
  end if;
  if p_condition ? 'above' then
    holds := holds and amount > (p_condition ->> 'above')::numeric;
  end if;
  if p_condition ? 'at_most' then
    holds := holds and amount <= (p_condition ->> 'at_most')::numeric;
  end if;
  return holds;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.count_agent_edit()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if floorwalker.row_difference(to_jsonb(old), to_jsonb(new)) <> '{}' and new.version = old.version then
    new.version := old.version + 1;
  end if;
  return new;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.count_archive()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if tg_op <> 'INSERT' and old.interaction_status = 'completed' and old.kind = 'live' then
    insert into floorwalker.agent_days (agent_id, day, archives, first_contact, rated, csat)
    values (old.agent_id, floorwalker.day_of(old.business_id, old.happened_at), -1,
      -coalesce(old.fcr_status, false)::integer, -(old.csat_score is not null)::integer, -coalesce(old.csat_score, 0));
  end if;
  if tg_op <> 'DELETE' and new.interaction_status = 'completed' and new.kind = 'live' then
    insert into floorwalker.agent_days (agent_id, day, archives, first_contact, rated, csat)
    values (new.agent_id, floorwalker.day_of(new.business_id, new.happened_at), 1,
      coalesce(new.fcr_status, false)::integer, (new.csat_score is not null)::integer, coalesce(new.csat_score, 0));
  end if;
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.count_interaction()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if tg_op <> 'INSERT' and old.status = 'completed' and old.kind = 'live' and old.started_at is not null then
    insert into floorwalker.agent_days (agent_id, day, calls, seconds)
    values (old.agent_id, floorwalker.day_of(old.business_id, old.started_at), -1, -coalesce(old.duration_seconds, 0));
  end if;
  if tg_op <> 'DELETE' and new.status = 'completed' and new.kind = 'live' and new.started_at is not null then
    insert into floorwalker.agent_days (agent_id, day, calls, seconds)
    values (new.agent_id, floorwalker.day_of(new.business_id, new.started_at), 1, coalesce(new.duration_seconds, 0));
  end if;
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.count_retention(p_business_id uuid, p_interactions bigint, p_transcripts bigint, p_metrics bigint, p_customers bigint)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  insert into floorwalker.retention_progress as r (business_id, interactions, transcripts, metrics, customers)
  select p_business_id, p_interactions, p_transcripts, p_metrics, p_customers
  where p_interactions + p_transcripts + p_metrics + p_customers > 0
  on conflict (business_id) do update set
    interactions = r.interactions + excluded.interactions, transcripts = r.transcripts + excluded.transcripts,
    metrics = r.metrics + excluded.metrics, customers = r.customers + excluded.customers,
    last_removed_at = clock_timestamp()
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.count_tool_edit()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if coalesce(current_setting('floorwalker.applying', true), '') <> 'on'
    and coalesce(current_setting('floorwalker.editing', true), '') <> 'on' then
    update agents set version = version + 1
    where id = case when tg_op = 'DELETE' then old.agent_id else new.agent_id end;
  end if;
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.created(p_row interactions)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select jsonb_build_object(
    'interaction_id', p_row.id, 'room', p_row.livekit_room_id, 'status', p_row.status,
    'agent_type', p_row.interaction_type, 'business_id', p_row.business_id,
    'position', floorwalker.queue_position(p_row),
    -- Whether an agent may be called at once. Otherwise somebody has waited longer, and workers go by the queue.
    'first_in_turn', p_row.status = 'queued'
      and floorwalker.queue_position(p_row) <= (select a.max_concurrent_interactions - (
        select count(*) from interactions o where o.agent_id = a.id and o.status = 'active') from agents a where a.id = p_row.agent_id)
      and not exists (select from interactions w
        where w.business_id = p_row.business_id and w.interaction_type = p_row.interaction_type and w.status = 'queued'
          and w.queued_at < p_row.queued_at - interval '3 seconds'))
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.crm_customer(p_business_id uuid, p_phone text)
 RETURNS customers
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select * from customers where business_id = p_business_id and phone_number = p_phone
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.crm_ensure_customer(p_business_id uuid, p_phone text)
 RETURNS customers
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  insert into customers (business_id, phone_number) values (p_business_id, p_phone) on conflict do nothing;
  return floorwalker.crm_customer(p_business_id, p_phone);
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.crm_open_signals(p_customer_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select coalesce(jsonb_agg(jsonb_build_object('id', s.id, 'signal', s.signal, 'severity', s.severity, 'description', s.description,
    'detected_at', s.detected_at) order by array_position(array['critical', 'high', 'medium', 'low'], s.severity), s.detected_at desc), '[]')
  from (select * from crm_risk_signals where customer_id = p_customer_id and resolved_at is null
    order by array_position(array['critical', 'high', 'medium', 'low'], severity), detected_at desc limit 10) s
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.crm_standing(p_customer_id uuid)
 RETURNS text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select case
    when score.overall < 60 or exists (select from crm_risk_signals where customer_id = p_customer_id and resolved_at is null
      and severity in ('high', 'critical')) then 'at_risk'
    when score.overall is not null then 'healthy' end
  from (select (select overall from crm_health_scores where customer_id = p_customer_id order by calculated_at desc limit 1) as overall) score
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.crm_view(p_customer customers)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select jsonb_build_object('phone_number', p_customer.phone_number, 'name', p_customer.name, 'known_since', p_customer.created_at,
    'company', p.company, 'tier', p.tier, 'status', coalesce(p.status, 'active'), 'yearly_revenue', p.yearly_revenue,
    'renewal_date', p.renewal_date, 'manager', p.manager, 'standing', floorwalker.crm_standing(p_customer.id),
    'conversations', (select count(*) from interactions i where i.customer_id = p_customer.id and i.kind = 'live'),
    'last_conversation_at', (select max(i.started_at) from interactions i where i.customer_id = p_customer.id and i.kind = 'live'),
    'notes', (select count(*) from crm_notes n where n.customer_id = p_customer.id))
  from (select 1) one left join crm_profiles p on p.customer_id = p_customer.id
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.day_key(p_business_id uuid, p_kind text, p_day integer)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select 'day:' || p_kind || ':' || p_business_id || ':' || p_day
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.day_number(p_moment timestamp with time zone)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select floor(extract(epoch from p_moment) / 86400)::integer
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.day_of(p_business_id uuid, p_moment timestamp with time zone)
 RETURNS date
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select (p_moment at time zone b.time_zone)::date from businesses b where b.id = p_business_id
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.delete_subject(p_business_id uuid, p_subject jsonb, p_actor uuid, p_actor_name text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  ids uuid[];
  running uuid[];
  subjects text[];
  one uuid;
  phone text;
  known customers;
  removed jsonb;
  counts jsonb := '{}';
  nonce text := encode(sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'utf8')), 'hex');
  receipt deletion_receipts;
begin
  if (select count(*) from jsonb_object_keys(p_subject) k where k in ('customer_id', 'phone_number', 'interaction_id')) <> 1 then
    perform floorwalker.fail('invalid_request', 'Name the customer by one of customer_id, phone_number and interaction_id.');
  end if;
  -- The same lock as a new conversation takes: none begins between counting and deleting.
  perform pg_advisory_xact_lock(hashtextextended('create:' || p_business_id, 0));
  ids := floorwalker.subject_interactions(p_business_id, p_subject);
  perform 1 from interactions where id = any (ids) order by agent_id, id for update;
  select array_agg(id) into running from interactions where id = any (ids) and status in ('queued', 'active');
  if running is not null then
    perform floorwalker.fail('customer_in_conversation', 'A conversation of this customer is going on; end it first.',
      jsonb_build_object('interaction_ids', to_jsonb(running)));
  end if;

  select * into known from customers where business_id = p_business_id
    and (id::text = p_subject ->> 'customer_id' or phone_number = p_subject ->> 'phone_number');
  phone := coalesce(known.phone_number, p_subject ->> 'phone_number',
    (select i.phone_number from interactions i where i.id = ids[1] and p_subject ? 'interaction_id'));
  select array_agg(subject) into subjects from (
    select unnest(ids)::text as subject
    union select id::text from tool_calls where interaction_id = any (ids)
    union select id::text from tool_permissions where interaction_id = any (ids)
    union select id::text from interaction_archives where interaction_id = any (ids)
    union select known.id::text) s where subject is not null;

  receipt.id := gen_random_uuid();
  receipt.business_id := p_business_id;
  receipt.subject_kind := case when p_subject ? 'interaction_id' then 'interaction' else 'customer' end;
  receipt.subject_hash := encode(sha256(convert_to(nonce || ':' ||
    case when p_subject ? 'interaction_id' then p_subject ->> 'interaction_id' else phone end, 'utf8')), 'hex');
  receipt.deleted_by := p_actor;
  receipt.deleted_by_name := p_actor_name;

  foreach one in array ids loop
    removed := floorwalker.purge_interaction(one);
    select coalesce(jsonb_object_agg(key, coalesce((counts ->> key)::bigint, 0) + coalesce((removed ->> key)::bigint, 0)), '{}')
    into counts from (select jsonb_object_keys(counts || removed) as key) keys;
  end loop;
  counts := counts || jsonb_build_object('interactions', cardinality(ids));
  if not p_subject ? 'interaction_id' then
    counts := counts || floorwalker.delete_tool_data(p_business_id, phone);
  end if;
  if known.id is not null then
    delete from customers where id = known.id;
    counts := counts || '{"customers": 1}';
  end if;
  receipt.counts := counts;
  receipt.deleted_at := clock_timestamp();
  receipt.hash := floorwalker.receipt_hash(receipt);
  insert into deletion_receipts select receipt.*;
  perform floorwalker.redact_audit(p_business_id, subjects,
    case when p_subject ? 'interaction_id' then null else phone end, receipt.id);
  perform floorwalker.audit(p_business_id, 'customer.deleted', 'deletion_receipts', receipt.id::text, counts);
  return to_jsonb(receipt) || jsonb_build_object('subject_nonce', nonce);
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.delete_tool_data(p_business_id uuid, p_phone text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  customer uuid := (floorwalker.crm_customer(p_business_id, p_phone)).id;
  of_appointments bigint;
  of_notes bigint;
  of_scores bigint;
  of_signals bigint;
begin
  delete from appointments where business_id = p_business_id and customer_phone = p_phone;
  get diagnostics of_appointments = row_count;
  delete from crm_profiles where customer_id = customer;
  delete from crm_notes where customer_id = customer;
  get diagnostics of_notes = row_count;
  delete from crm_health_scores where customer_id = customer;
  get diagnostics of_scores = row_count;
  delete from crm_risk_signals where customer_id = customer;
  get diagnostics of_signals = row_count;
  return jsonb_strip_nulls(jsonb_build_object('appointments', nullif(of_appointments, 0), 'crm_notes', nullif(of_notes, 0),
    'crm_health_scores', nullif(of_scores, 0), 'crm_risk_signals', nullif(of_signals, 0)));
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.derive_agent_status(p_agent_id uuid)
 RETURNS text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select case
    when bool_or(i.paused) then 'paused'
    when count(i.id) = 0 then 'idle'
    when a.agent_type = 'voice' then 'in_call'
    else 'in_chat'
  end
  from agents a
  left join interactions i on i.agent_id = a.id and i.status = 'active' and i.kind = 'live'
  where a.id = p_agent_id
  group by a.id
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.empty_of(p_interaction_id uuid, p_keep text[] DEFAULT '{}'::text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  place record;
  removed bigint;
  counts jsonb := '{}';
begin
  update tool_calls set permission_id = null where interaction_id = p_interaction_id and permission_id is not null;
  for place in
    select c.oid::regclass as address, c.relname as name
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('public', 'floorwalker')
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'interaction_id' and not a.attisdropped
    where c.relkind in ('r', 'p') and not c.relispartition and not c.relname = any (p_keep)
    -- Permissions stand on their calls, and what is only a record of changes is written by the other deletions.
    order by case c.relname when 'tool_permissions' then 0 when 'tool_calls' then 2 else 1 end,
      exists (select from pg_constraint f where f.conrelid = c.oid and f.contype = 'f') desc, c.relname
  loop
    execute format('delete from %s where interaction_id = $1', place.address) using p_interaction_id;
    get diagnostics removed = row_count;
    if removed > 0 then
      counts := counts || jsonb_build_object(place.name, removed);
    end if;
  end loop;
  return counts;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.end_interaction(p_row interactions, p_status text, p_end_reason text)
 RETURNS interaction_archives
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  ended interactions;
  archive interaction_archives;
  found_facts jsonb;
  last_scores numeric;
  moment timestamptz := clock_timestamp();
begin
  perform floorwalker.lock_customer_history(p_row.id);

  update tool_permissions set status = 'timeout', supervisor_response = 'timeout', responded_at = moment
  where interaction_id = p_row.id and status = 'pending' and expires_at <= moment;
  update tool_permissions set status = 'withdrawn', responded_at = moment
  where interaction_id = p_row.id and status = 'pending';
  -- What was running may have had its effect: nobody knows, so it says so. What never started never will.
  update tool_calls c set
    state = case when c.state = 'running' then 'unknown' else 'refused' end,
    refusal_reason = case when c.state = 'running' then null else coalesce(
      (select case p.status when 'denied' then 'denied' when 'timeout' then 'timeout' end
        from tool_permissions p where p.id = c.permission_id), 'withdrawn') end,
    finished_at = moment
  where c.interaction_id = p_row.id and c.state in ('requested', 'awaiting_permission', 'running');

  update interactions set
    status = p_status, end_reason = p_end_reason, ended_at = moment,
    duration_seconds = greatest(0, round(extract(epoch from moment - coalesce(started_at, moment))))::integer,
    control = 'agent', controlled_by = null, worker_id = null, lease_until = null
  where id = p_row.id returning * into ended;

  found_facts := floorwalker.facts(ended);
  select round(avg(satisfaction_score), 2) into last_scores from (
    select satisfaction_score from realtime_metrics where interaction_id = ended.id order by "timestamp" desc limit 3) recent;

  insert into interaction_archives (interaction_id, business_id, summary, tags, csat_score, csat_source,
    resolution_time_seconds, fcr_status, metrics_series, facts)
  values (ended.id, ended.business_id, floorwalker.facts_summary(ended, found_facts),
    jsonb_build_object('topics', '[]'::jsonb, 'issues', '[]'::jsonb, 'sentiment', coalesce(found_facts #>> '{sentiment,last}', 'neutral')),
    coalesce((ended.rating - 1) * 25, last_scores),
    case when ended.rating is not null then 'customer' when last_scores is not null then 'metrics' end,
    ended.duration_seconds, p_status = 'completed', floorwalker.metrics_series(ended.id), found_facts)
  returning * into archive;
  delete from realtime_metrics where interaction_id = ended.id;
  return archive;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.excerpt(p_interaction_id uuid, p_configuration text, p_text text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  query tsquery := websearch_to_tsquery(p_configuration::regconfig, p_text);
begin
  -- Words may stand in different messages; what must not occur says nothing about where to look.
  if query::text !~ '!' then
    query := replace(query::text, ' & ', ' | ')::tsquery;
  end if;
  return (
    select jsonb_build_object('seq', m.seq, 'role', m.role, 'text', ts_headline(p_configuration::regconfig,
      left(m.content, 20000), query, 'StartSel="", StopSel="", MaxWords=30, MinWords=12'))
    from interaction_messages m
    where m.interaction_id = p_interaction_id and m.role <> 'system'
      and to_tsvector(p_configuration::regconfig, left(m.content, 20000)) @@ query
    order by m.seq limit 1);
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.expire_metrics(p_business_id uuid, p_before timestamp with time zone, p_limit integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  deleted integer;
begin
  delete from realtime_metrics where id in (
    select m.id from realtime_metrics m join interactions i on i.id = m.interaction_id
    where m.created_at < p_before and i.business_id = p_business_id order by m.created_at limit p_limit);
  get diagnostics deleted = row_count;
  return deleted;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.extend_vocabulary(p_business_id uuid, p_tags jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  vocabulary jsonb;
  declared text[];
  new_topics text[];
  new_issues text[];
  unknown text[];
begin
  select tag_vocabulary into vocabulary from businesses where id = p_business_id for no key update;
  select coalesce(array_agg(d), '{}') into declared from jsonb_array_elements_text(
    coalesce(nullif(p_tags -> 'new_issue_tags', 'null'), '[]') || coalesce(nullif(p_tags -> 'new_topics', 'null'), '[]')) d;
  select array_agg(distinct t) into new_topics from jsonb_array_elements_text(p_tags -> 'topics') t
  where not vocabulary -> 'topics' ? t;
  select array_agg(distinct i ->> 'tag') into new_issues from jsonb_array_elements(p_tags -> 'issues') i
  where not vocabulary -> 'issues' ? (i ->> 'tag');

  select array_agg(tag) into unknown from unnest(coalesce(new_topics, '{}') || coalesce(new_issues, '{}')) tag
  where not (tag = any (declared) and tag ~ '^[a-z0-9][a-z0-9_]{0,59}$');
  if unknown is not null then
    perform floorwalker.fail('archive_invalid',
      'Tags must come from the vocabulary of the business or be declared in new_issue_tags or new_topics, in lower_snake_case.',
      jsonb_build_object('unknown', to_jsonb(unknown), 'vocabulary', vocabulary));
  end if;
  if new_topics is not null or new_issues is not null then
    update businesses set tag_vocabulary = jsonb_build_object(
      'topics', (vocabulary -> 'topics') || to_jsonb(coalesce(new_topics, '{}')),
      'issues', (vocabulary -> 'issues') || to_jsonb(coalesce(new_issues, '{}')))
    where id = p_business_id;
  end if;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.facts(p_row interactions)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select jsonb_build_object(
    'end_reason', p_row.end_reason,
    'duration_seconds', p_row.duration_seconds,
    'waited_seconds', greatest(0, round(extract(epoch from coalesce(p_row.started_at, p_row.ended_at) - p_row.queued_at))),
    'claims', p_row.claim_attempts,
    'messages', (select jsonb_build_object(
        'customer', count(*) filter (where role = 'customer'), 'agent', count(*) filter (where role = 'agent'),
        'supervisor', count(*) filter (where role = 'supervisor'))
      from interaction_messages where interaction_id = p_row.id),
    'tool_calls', (select coalesce(jsonb_object_agg(state, n), '{}')
      from (select state, count(*) as n from tool_calls where interaction_id = p_row.id group by state) c),
    'permissions', (select coalesce(jsonb_object_agg(status, n), '{}')
      from (select status, count(*) as n from tool_permissions where interaction_id = p_row.id group by status) p),
    'takeovers', (select count(*) from interaction_steps where interaction_id = p_row.id and step_type = 'takeover'),
    'tokens_input', (select coalesce(sum(tokens_input), 0) from interaction_steps where interaction_id = p_row.id),
    'tokens_output', (select coalesce(sum(tokens_output), 0) from interaction_steps where interaction_id = p_row.id),
    'sentiment', (select jsonb_build_object(
        'good', count(*) filter (where sentiment = 'good'), 'neutral', count(*) filter (where sentiment = 'neutral'),
        'critical', count(*) filter (where sentiment = 'critical'),
        'last', (array_agg(sentiment order by "timestamp" desc))[1],
        'satisfaction_average', round(avg(satisfaction_score), 2), 'satisfaction_lowest', min(satisfaction_score))
      from realtime_metrics where interaction_id = p_row.id))
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.facts_summary(p_row interactions, p_facts jsonb)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select format('%s of %s: %s from the customer, %s from the agent%s. Ended: %s.',
    case p_row.interaction_type when 'voice' then 'Call' else 'Chat' end,
    case when coalesce(p_row.duration_seconds, 0) < 120 then coalesce(p_row.duration_seconds, 0) || ' s'
      else round(p_row.duration_seconds / 60.0) || ' min' end,
    (p_facts #>> '{messages,customer}') || case p_facts #>> '{messages,customer}' when '1' then ' message' else ' messages' end,
    p_facts #>> '{messages,agent}',
    coalesce((select '; tool calls: ' || string_agg(value || ' ' || key, ', ' order by key) from jsonb_each_text(p_facts -> 'tool_calls')), ''),
    replace(coalesce(p_row.end_reason, 'unknown'), '_', ' '))
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.fail(code text, sentence text, facts jsonb DEFAULT NULL::jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  raise exception using
    errcode = 'P0001',
    message = code,
    detail = case when facts is null then sentence
      else (jsonb_build_object('message', sentence) || facts)::text end;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.find_business(p_source jsonb)
 RETURNS businesses
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  found_row businesses;
begin
  select * into found_row from businesses
  where deleted_at is null and (id::text = p_source ->> 'business_id' or slug = p_source ->> 'business_slug');
  if not found then
    perform floorwalker.fail('business_not_found', format('There is no business "%s"; make it with `floorwalker business create`.',
      coalesce(p_source ->> 'business_slug', p_source ->> 'business_id')));
  end if;
  return found_row;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.find_calendar(p_business_id uuid, p_calendar text)
 RETURNS appointment_calendars
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select * from appointment_calendars c
  where c.business_id = p_business_id and (lower(c.name) = lower(p_calendar) or (p_calendar is null
    and not exists (select from appointment_calendars other where other.business_id = p_business_id and other.id <> c.id)))
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.find_person(p_business_id uuid, p_id text, p_name text, p_code text)
 RETURNS uuid
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  person uuid;
begin
  if coalesce(p_id, p_name) is null then
    return null;
  end if;
  select id into person from users
  where business_id = p_business_id and deleted_at is null and role = 'supervisor'
    and (id::text = p_id or lower(email) = lower(p_name) or username = p_name);
  if person is null then
    perform floorwalker.fail(p_code, format('There is no supervisor "%s" in this business.', coalesce(p_name, p_id)));
  end if;
  return person;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.forget_unfinished()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  delete from floorwalker.unfinished_answers where interaction_id = new.interaction_id and item_id = new.item_id;
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.found_archives(p_filter jsonb, p_ids uuid[])
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
  select coalesce(jsonb_agg(jsonb_build_object(
    'interaction_id', a.interaction_id, 'agent_id', a.agent_id, 'agent_name', g.name, 'channel', i.interaction_type,
    'kind', a.kind, 'status', a.interaction_status, 'end_reason', i.end_reason, 'phone_number', i.phone_number,
    'phone_source', i.phone_source, 'started_at', a.happened_at, 'ended_at', i.ended_at,
    'duration_seconds', i.duration_seconds, 'disposition', i.disposition, 'summary', a.summary,
    'summary_source', a.summary_source, 'issues', a.issues, 'tags', a.tags, 'csat_score', a.csat_score,
    'csat_source', a.csat_source, 'fcr_status', a.fcr_status,
    'excerpt', case when (p_filter ->> 'excerpt')::boolean and nullif(btrim(p_filter ->> 'text'), '') is not null
      then floorwalker.excerpt(a.interaction_id,
        (select s.configuration from floorwalker.archive_search s where s.interaction_id = a.interaction_id),
        left(btrim(p_filter ->> 'text'), 200)) end)
    order by f.place), '[]')
  from unnest(p_ids) with ordinality f (interaction_id, place)
  join interaction_archives a on a.interaction_id = f.interaction_id
  join interactions i on i.id = f.interaction_id
  join agents g on g.id = a.agent_id
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.free_slots(p_calendar appointment_calendars, p_zone text, p_from date, p_days integer, p_minutes integer, p_except uuid)
 RETURNS TABLE(local_start timestamp without time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select distinct start.at
  from generate_series(p_from::timestamp, p_from + make_interval(days => p_days - 1), interval '1 day') as day (at)
  cross join lateral jsonb_array_elements(coalesce(p_calendar.hours -> lower(to_char(day.at, 'Dy')), '[]')) as open
  cross join lateral generate_series(day.at + (open ->> 0)::interval,
    day.at + (open ->> 1)::interval - interval '1 minute', make_interval(mins => p_calendar.slot_minutes)) as start (at)
  cross join lateral (select start.at at time zone p_zone as starts_at,
    start.at at time zone p_zone + make_interval(mins => p_minutes) as ends_at) as real
  where real.starts_at at time zone p_zone = start.at
    and floorwalker.calendar_open(p_calendar, start.at, real.ends_at at time zone p_zone)
    and real.starts_at >= clock_timestamp() + make_interval(mins => p_calendar.lead_minutes)
    and real.starts_at < clock_timestamp() + make_interval(days => p_calendar.days_ahead)
    and not exists (select from appointments a where a.calendar_id = p_calendar.id and a.status = 'confirmed'
      and a.id is distinct from p_except and a.starts_at < real.ends_at and a.ends_at > real.starts_at)
  order by start.at
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.grant_covers(p_grant tool_grants, p_definition_hash text, p_arguments jsonb)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select p_grant.definition_hash is not distinct from p_definition_hash and not exists (
    select from (select jsonb_object_keys(p_grant.arguments) union select jsonb_object_keys(p_arguments)) names (name)
    where not coalesce(case
      when p_grant.argument_range -> name ? 'any' then true
      when p_grant.argument_range -> name ? 'one_of' then (p_grant.argument_range -> name -> 'one_of') @> jsonb_build_array(p_arguments -> name)
      when p_grant.argument_range -> name ? 'at_most' then floorwalker.as_number(p_arguments -> name)
        between 0 and (p_grant.argument_range -> name ->> 'at_most')::numeric
      else coalesce(p_arguments -> name, 'null') = coalesce(p_grant.arguments -> name, 'null') end, false))
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.grant_revoked(p_grant_id uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select exists (
    select from tool_grants g join tool_permissions p on p.id = g.permission_id
    where g.id = p_grant_id and p.scope_revoked_at is not null)
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.healthy_stretch()
 RETURNS interval
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select interval '5 minutes'
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.index_archive(p_interaction_id uuid)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  insert into floorwalker.archive_search as mine (interaction_id, happened_at, configuration, phone_digits, words, keys)
  select a.interaction_id, a.happened_at, c.name, digits.text,
    -- Far below the megabyte that a tsvector may have: an archive must never fail for its length.
    setweight(to_tsvector(c.name::regconfig, left(a.summary || ' ' || coalesce(issues.text, ''), 20000)), 'A')
      || to_tsvector(c.name::regconfig, coalesce((
        select left(string_agg(left(m.content, 20000), E'\n' order by m.seq), 100000)
        from interaction_messages m where m.interaction_id = a.interaction_id and m.role <> 'system'), '')),
    array['business:' || a.business_id, 'agent:' || a.agent_id, 'kind:' || a.kind,
      floorwalker.day_key(a.business_id, a.kind, floorwalker.day_number(a.happened_at)),
      'sentiment:' || coalesce(a.tags ->> 'sentiment', 'neutral')]
      || coalesce((select array_agg(distinct 'tag:' || t) from (
        select jsonb_array_elements_text(a.tags -> 'topics') as t
        union all select i ->> 'tag' from jsonb_array_elements(a.tags -> 'issues') i) tags where t is not null), '{}')
      || coalesce((select array_agg(distinct 'issue:' || (i ->> 'tag')) || array_agg(distinct 'issue_status:' || (i ->> 'status'))
        from jsonb_array_elements(a.tags -> 'issues') i where i ->> 'tag' is not null and i ->> 'status' is not null), '{}')
      || floorwalker.phone_keys(digits.text)
  from interaction_archives a
  join interactions i on i.id = a.interaction_id
  cross join lateral (select floorwalker.text_configuration(
    coalesce(i.agent_snapshot ->> 'language', (select language from agents where id = a.agent_id))) as name) c
  cross join lateral (select regexp_replace(i.phone_number, '\D', '', 'g') as text) digits
  cross join lateral (select string_agg(e ->> 'issue', ' ') as text from jsonb_array_elements(a.issues) e
    where jsonb_typeof(e) = 'object') issues
  where a.interaction_id = p_interaction_id
  on conflict (interaction_id) do update set happened_at = excluded.happened_at, configuration = excluded.configuration,
    phone_digits = excluded.phone_digits, words = excluded.words, keys = excluded.keys
  where (mine.words, mine.keys, mine.phone_digits, mine.configuration)
    is distinct from (excluded.words, excluded.keys, excluded.phone_digits, excluded.configuration);
  insert into floorwalker.search_configurations (business_id, configuration)
  select a.business_id, s.configuration
  from floorwalker.archive_search s join interaction_archives a on a.interaction_id = s.interaction_id
  where s.interaction_id = p_interaction_id
    and not exists (select from floorwalker.search_configurations c
      where c.business_id = a.business_id and c.configuration = s.configuration)
  on conflict do nothing
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.index_changed_archive()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  perform floorwalker.index_archive(new.interaction_id);
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.index_late_messages()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  perform floorwalker.index_archive(s.interaction_id)
  from (select distinct interaction_id from written) w
  join floorwalker.archive_search s on s.interaction_id = w.interaction_id;
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.insert_left_messages(p_interaction_id uuid, p_messages jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  -- Below all others at first: each place is taken once at any moment.
  insert into interaction_messages as m (interaction_id, item_id, seq, role, content, interrupted, spoken_at, metadata)
  select p_interaction_id, s.item_id, -s.place, s.message ->> 'role', s.message ->> 'content',
    coalesce((s.message ->> 'interrupted')::boolean, false), (s.message ->> 'spoken_at')::timestamptz,
    coalesce(nullif(s.message -> 'metadata', 'null'), '{}')
  from floorwalker.left_messages(p_messages) s
  on conflict (interaction_id, item_id) do update set spoken_at = excluded.spoken_at
    where excluded.spoken_at < m.spoken_at;

  with known as (
    select m.id, m.seq, coalesce(m.spoken_at, m.created_at) as at, s.place
    from interaction_messages m left join floorwalker.left_messages(p_messages) s on s.item_id = m.item_id
    where m.interaction_id = p_interaction_id
  ), following as (
    select k.id, k.seq, k.place, case when k.place is null then k.seq
      else max(coalesce((select min(o.seq) from known o where o.place is null and o.at > k.at), 9223372036854775807))
        over (partition by k.place is null order by k.place) end as before
    from known k
  ), placed as (
    select id, seq, row_number() over (order by before, place nulls last) as wanted from following
  )
  update interaction_messages m set seq = -1000000 - p.wanted from placed p where m.id = p.id and p.seq <> p.wanted;
  update interaction_messages set seq = -1000000 - seq where interaction_id = p_interaction_id and seq < -1000000;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.interaction_for_actor(p_interaction_id uuid)
 RETURNS interactions
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  found_row interactions;
begin
  select * into found_row from interactions
  where id = p_interaction_id and agent_id = any (floorwalker.visible_agents()) for update;
  if not found then
    perform floorwalker.fail('interaction_not_found', 'There is no such interaction.');
  end if;
  return found_row;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.interaction_of_token(p_interaction_id uuid, p_resume_token_hash text)
 RETURNS interactions
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  found_row interactions;
begin
  select * into found_row from interactions
  where id = p_interaction_id and resume_token_hash = p_resume_token_hash for update;
  if not found then
    perform floorwalker.fail('resume_token_invalid', 'This token does not belong to that conversation.');
  end if;
  return found_row;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.is_inline_command(p_config jsonb)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select p_config ?| array['command', 'args', 'env']
    or (p_config ->> 'transport' = 'stdio' and not p_config ? 'server')
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.keep_agent_status()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  new.status := case when tg_op = 'INSERT' then 'idle' else floorwalker.derive_agent_status(new.id) end;
  return new;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.keep_agent_version()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  context text := nullif(current_setting('floorwalker.edit', true), '');
begin
  insert into agent_versions (agent_id, version, definition, source, restored_version, note, changed_by, changed_by_name)
  select a.id, a.version, floorwalker.agent_definition(a.id),
    case when tg_op = 'INSERT' and context is null then 'first' else coalesce(context::jsonb ->> 'source', 'other') end,
    (context::jsonb ->> 'restored_version')::integer, context::jsonb ->> 'note', auth.uid(),
    (select name from users where id = auth.uid())
  from agents a where a.id = new.id
  on conflict (agent_id, version) do nothing;
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.keep_control()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if new.control = 'agent' then
    new.controlled_by := null;
    new.controlled_by_name := null;
  end if;
  new.control_changed_at := clock_timestamp();
  return new;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.keep_days(p_business businesses, p_row interactions)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select case
    when p_row.kind = 'live' then floorwalker.retention_figure(p_business.retention, 'archives_days', 90)
    when p_row.status = 'failed' then floorwalker.retention_figure(p_business.retention, 'failed_rehearsals_days', 365)
    else floorwalker.retention_figure(p_business.retention, 'rehearsals_days', 730)
  end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.keep_decision()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if old.status <> 'pending' and (new.status, new.edited_hash, new.arguments_hash, new.decided_by)
      is distinct from (old.status, old.edited_hash, old.arguments_hash, old.decided_by) then
    perform floorwalker.fail('permission_already_decided', 'This permission has been decided.',
      jsonb_build_object('status', old.status));
  end if;
  return new;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.keep_transcript_days(p_business businesses, p_row interactions)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select least(floorwalker.keep_days(p_business, p_row),
    floorwalker.retention_figure(p_business.retention, 'transcripts_days', floorwalker.keep_days(p_business, p_row)))
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.keep_unfinished()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  with cut_off as (
    delete from floorwalker.unfinished_answers where interaction_id = new.id returning *)
  insert into interaction_messages (interaction_id, item_id, seq, role, content, interrupted, spoken_at, metadata)
  select c.interaction_id, c.item_id,
    1 + coalesce((select max(seq) from interaction_messages m where m.interaction_id = c.interaction_id), 0),
    'agent', c.content, true, c.began_at, '{"cut_off": true}'
  from cut_off c
  -- One that came late, after its message or after the answer that followed it, says nothing new.
  where not exists (select from interaction_messages m where m.interaction_id = c.interaction_id
    and (m.item_id = c.item_id or (m.role = 'agent' and m.metadata ? 'mark' and m.spoken_at >= c.began_at)));
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.left_messages(p_messages jsonb)
 RETURNS TABLE(item_id text, place bigint, message jsonb)
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select m ->> 'item_id', min(n), (array_agg(m order by n desc))[1]
  from jsonb_array_elements(p_messages) with ordinality as list (m, n) group by m ->> 'item_id'
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.limit_of(p_business jsonb, p_request jsonb, p_name text)
 RETURNS numeric
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select coalesce((p_business ->> p_name)::numeric, (p_request ->> p_name)::numeric)
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.link_customer(p_business_id uuid, p_phone text)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  customer uuid;
begin
  if p_phone is null then
    return null;
  end if;
  if p_phone !~ '^\+[1-9][0-9]{6,14}$' then
    perform floorwalker.fail('invalid_phone_number',
      'The phone number must be in international form, such as +31201234567.');
  end if;
  insert into customers (business_id, phone_number) values (p_business_id, p_phone)
  on conflict (business_id, phone_number) do nothing returning id into customer;
  if customer is null then
    select id into customer from customers where business_id = p_business_id and phone_number = p_phone;
  end if;
  return customer;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.lock_customer_history(p_interaction_id uuid)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select pg_advisory_xact_lock(hashtextextended('fcr:' || business_id || phone_number, 0))
  from interactions where id = p_interaction_id and phone_number is not null
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.lock_interaction(p_interaction_id uuid, p_generation bigint)
 RETURNS interactions
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  found_row interactions;
begin
  select * into found_row from interactions where id = p_interaction_id for update;
  if not found then
    perform floorwalker.fail('interaction_not_found', 'There is no such interaction.');
  end if;
  if found_row.generation is distinct from p_generation then
    perform floorwalker.fail('stale_generation', 'Another worker carries this interaction on.',
      jsonb_build_object('generation', found_row.generation));
  end if;
  return found_row;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.log_agent()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  insert into floorwalker.changes (kind, agent_id, subject) values ('agent', new.id, new.id::text);
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.log_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  insert into floorwalker.changes (kind, interaction_id, subject) values (tg_argv[0], new.interaction_id, new.id::text);
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.log_interaction()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  insert into floorwalker.changes (kind, interaction_id, agent_id, subject) values ('interaction', new.id, new.agent_id, new.id::text);
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.log_metrics()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  insert into floorwalker.changes (kind, interaction_id, payload)
  select 'metrics', interaction_id, jsonb_build_object('timestamp', "timestamp", 'sentiment', sentiment,
    'satisfaction_score', satisfaction_score, 'feed_text', feed_text)
  from added;
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.log_person()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  insert into floorwalker.changes (kind, subject) values ('person', new.id::text);
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.look_for_archives(p_filter jsonb, p_after_time timestamp with time zone, p_after_id uuid, p_limit integer, p_patience interval DEFAULT NULL::interval, p_days integer DEFAULT NULL::integer, p_walk integer DEFAULT 500, OUT ids uuid[], OUT reached_time timestamp with time zone, OUT reached_id uuid, OUT next_days integer)
 RETURNS record
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
declare
  me constant users := floorwalker.require_actor();
  began constant timestamptz := clock_timestamp();
  conditions constant jsonb := floorwalker.archive_conditions(p_filter);
  -- Without the kind, which both ways of looking see to.
  wanted_keys constant text[] := array(
    select k from jsonb_array_elements_text(conditions -> 'keys') k where k not like 'kind:%');
  digits constant text := '%' || (conditions ->> 'digits') || '%';
  asked constant text := conditions ->> 'text';
  wanted_kind constant text := coalesce(p_filter ->> 'kind', 'live');
  one_agent constant uuid := (p_filter ->> 'agent_id')::uuid;
  from_time constant timestamptz := coalesce((p_filter ->> 'from')::timestamptz, '-infinity');
  to_time constant timestamptz := coalesce((p_filter ->> 'to')::timestamptz, 'infinity');
  -- Everything newer than this place has been looked at.
  place_time timestamptz := coalesce(p_after_time, 'infinity');
  place_id uuid := coalesce(p_after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  -- What the index must say where no stretch does.
  everywhere constant text[] := array['business:' || me.business_id, 'kind:' || wanted_kind];
  none constant uuid := '00000000-0000-0000-0000-000000000000';
  agents_seen uuid[];
  -- Of a whole business the day's key says it.
  scope text[];
  -- The text in each configuration that there is, read once and not for each archive.
  configurations text[];
  queries tsquery[];
  query tsquery;
  walked uuid[];
  walked_at timestamptz[];
  day integer;
  first_day integer;
  oldest_day integer;
  days integer := p_days;
  stretch text[];
  more uuid[];
  more_at timestamptz[];
  missing integer;
  stretch_began timestamptz;
  took_seconds double precision;
  -- Less than days where a part of the first one had been looked at before.
  covered_days double precision;
  patience_seconds constant double precision := extract(epoch from p_patience);
  remaining_seconds double precision;
begin
  ids := '{}';
  if me.role <> 'admin' or one_agent is not null then
    select coalesce(array_agg(v), '{}') into agents_seen
    from unnest(floorwalker.visible_agents()) v where one_agent is null or v = one_agent;
    scope := array(select 'agent:' || v from unnest(agents_seen) v);
  end if;
  if not (conditions ->> 'filters')::boolean then
    select coalesce(array_agg(n.interaction_id order by n.place), '{}') into ids
    from floorwalker.newest_archives(me.business_id, agents_seen, wanted_kind, from_time, to_time,
      place_time, place_id, p_limit) with ordinality n (interaction_id, happened_at, place);
    return;
  end if;
  if asked is not null then
    select array_agg(c.configuration), array_agg(q.parsed) into configurations, queries
    from floorwalker.search_configurations c
    cross join lateral (select websearch_to_tsquery(c.configuration::regconfig, asked) as parsed) q
    where c.business_id = me.business_id and numnode(q.parsed) > 0;
    if queries is null then
      if exists (select from floorwalker.search_configurations c where c.business_id = me.business_id) then
        perform floorwalker.fail('search_invalid', 'Each of these words is too frequent to search for.');
      end if;
      return;
    end if;
  end if;

  missing := p_limit;
  if days is null then
    -- What is frequent is among the newest.
    select array_agg(n.interaction_id order by n.place), array_agg(n.happened_at order by n.place) into walked, walked_at
    from floorwalker.newest_archives(me.business_id, agents_seen, wanted_kind, from_time, to_time,
      place_time, place_id, p_walk) with ordinality n (interaction_id, happened_at, place);
    select coalesce(array_agg(hits.id), '{}') into ids from (
      select n.id from unnest(walked) with ordinality n (id, place)
      join floorwalker.archive_search s on s.interaction_id = n.id
      where s.keys @> wanted_keys
        and (digits is null or s.phone_digits like digits)
        and (asked is null or s.words @@ queries[array_position(configurations, s.configuration)])
      order by n.place limit p_limit) hits;
    missing := p_limit - cardinality(ids);
    if missing = 0 or coalesce(cardinality(walked), 0) < p_walk then
      return;
    end if;
    place_time := walked_at[p_walk];
    place_id := walked[p_walk];
    days := greatest(1, floorwalker.day_number(walked_at[1]) - floorwalker.day_number(place_time));
  end if;

  -- The rest is asked of the index, in stretches of days.
  -- Where it stopped the last time, at the beginning of a day, nothing is left of that day. Nothing began in the future.
  day := least(floorwalker.day_number(place_time) - case when place_id = none then 1 else 0 end,
    floorwalker.day_number(began) + 1);
  select floorwalker.day_number(a.happened_at), floorwalker.day_number(greatest(from_time, a.happened_at))
  into oldest_day, first_day from interaction_archives a
  where a.business_id = me.business_id and a.kind = wanted_kind
  order by a.happened_at, a.interaction_id limit 1;
  while day >= first_day loop
    -- Each day is a list to go through, and most of them together are more than none.
    stretch := case when days <= 16 or day - days >= first_day or 2 * (day - first_day) < floorwalker.day_number(began) - oldest_day then
      array(select floorwalker.day_key(me.business_id, wanted_kind, n)
        from generate_series(greatest(first_day, day - days + 1), day) n) end;
    covered_days := least(day + 1, extract(epoch from place_time) / 86400) - (day - days + 1);
    more := '{}';
    more_at := '{}';
    stretch_began := clock_timestamp();
    for nth in 1 .. coalesce(cardinality(queries), 1) loop
      query := queries[nth];
      select more || coalesce(array_agg(hits.interaction_id), '{}'), more_at || coalesce(array_agg(hits.happened_at), '{}')
      into more, more_at from (
        select s.interaction_id, s.happened_at from floorwalker.archive_search s
        where (wanted_keys = '{}' or s.keys @> wanted_keys) and (scope is null or s.keys && scope)
          and (stretch is null or s.keys && stretch) and (stretch is not null or s.keys @> everywhere)
          and (query is null or s.words @@ query and s.configuration = configurations[nth])
          and (digits is null or s.phone_digits like digits)
          and s.happened_at >= from_time and s.happened_at < least(to_time, to_timestamp((day + 1) * 86400.0))
          and (s.happened_at, s.interaction_id) < (place_time, place_id)
        order by s.happened_at desc, s.interaction_id desc limit missing) hits;
    end loop;
    if cardinality(queries) > 1 then
      select coalesce(array_agg(hits.id), '{}') into more from (
        select m.id from unnest(more, more_at) m (id, at) order by m.at desc, m.id desc limit missing) hits;
    end if;
    ids := ids || more;
    missing := p_limit - cardinality(ids);
    day := day - days;
    exit when missing = 0 or day < first_day;
    took_seconds := extract(epoch from clock_timestamp() - stretch_began);
    remaining_seconds := patience_seconds - extract(epoch from clock_timestamp() - began);
    if remaining_seconds < took_seconds then
      reached_time := to_timestamp((day + 1) * 86400.0);
      reached_id := none;
      -- As many as there would have been time for.
      next_days := greatest(1, least(4 * days, 10000, floor(covered_days * patience_seconds / nullif(took_seconds, 0))));
      exit;
    end if;
    -- What is missing at the rate that hits came, and half as much again, as each hit is read; and no more than there
    -- is time for, by what the last stretch took.
    days := greatest(1, least(
      case when more = '{}' then 4 * days else least(4 * days, ceil(1.5 * days * missing / cardinality(more))) end,
      floor(covered_days * remaining_seconds / nullif(took_seconds, 0))));
  end loop;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.metrics_series(p_interaction_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  with rows as (
    select m.*, row_number() over (order by m."timestamp") - 1 as place, count(*) over () as total
    from realtime_metrics m where m.interaction_id = p_interaction_id
  ), kept as (
    select * from rows where place % greatest(1, ceil(total / 600.0)::integer) = 0
  )
  select case when count(*) = 0 then '{"points": 0}'::jsonb else jsonb_build_object(
    'points', count(*),
    'from', min("timestamp"),
    'offset_seconds', jsonb_agg(round(extract(epoch from "timestamp" - first_at)::numeric, 1) order by "timestamp"),
    'sentiment', string_agg(left(sentiment, 1), '' order by "timestamp"),
    'satisfaction', jsonb_agg(satisfaction_score order by "timestamp"),
    'last_feed_text', (array_agg(feed_text order by "timestamp" desc))[1]) end
  from (select k.*, min("timestamp") over () as first_at from kept k) series
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.newest_archives(p_business_id uuid, p_agents uuid[], p_kind text, p_from timestamp with time zone, p_to timestamp with time zone, p_after_time timestamp with time zone, p_after_id uuid, p_limit integer)
 RETURNS TABLE(interaction_id uuid, happened_at timestamp with time zone)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
 SET enable_seqscan TO 'off'
AS $function$
begin
  if p_agents is null then
    return query
      select a.interaction_id, a.happened_at from interaction_archives a
      where a.business_id = p_business_id and a.kind = p_kind and a.happened_at >= p_from and a.happened_at < p_to
        and (a.happened_at, a.interaction_id) < (p_after_time, p_after_id)
      order by a.happened_at desc, a.interaction_id desc limit p_limit;
  else
    -- Agent by agent, each in order: an index gives no common order for a list of agents.
    return query
      select newest.* from unnest(p_agents) agent cross join lateral (
        select a.interaction_id, a.happened_at from interaction_archives a
        where a.agent_id = agent and a.kind = p_kind and a.happened_at >= p_from and a.happened_at < p_to
          and (a.happened_at, a.interaction_id) < (p_after_time, p_after_id)
        order by a.happened_at desc, a.interaction_id desc limit p_limit) newest
      order by newest.happened_at desc, newest.interaction_id desc limit p_limit;
  end if;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.next_appointment_reference(p_business_id uuid)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  perform pg_advisory_xact_lock(hashtextextended('appointment-reference:' || p_business_id, 0));
  return (select coalesce(max(reference), 1000) + 1 + floor(random() * 7)::integer from appointments where business_id = p_business_id);
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.no_calendar(p_business_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select jsonb_build_object('outcome', 'no_calendar', 'calendars',
    coalesce((select jsonb_agg(name order by name) from appointment_calendars where business_id = p_business_id), '[]'))
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.note_applied_version()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if current_setting('floorwalker.applying', true) = 'on' then
    new.applied_version := new.version;
  end if;
  return new;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.period_start(p_period text, p_time_zone text)
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if p_period is null or p_period not in ('today', 'month') then
    perform floorwalker.fail('unknown_period', format('"%s" is not a period; write today or month.', p_period));
  end if;
  return date_trunc(case p_period when 'today' then 'day' else 'month' end, now() at time zone p_time_zone) at time zone p_time_zone;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.person_for_admin(p_me users, p_user_id uuid)
 RETURNS users
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  subject users;
begin
  select * into subject from users
  where id = p_user_id and business_id = p_me.business_id and deleted_at is null for no key update;
  if not found then
    perform floorwalker.fail('user_not_found', 'There is no such person in this business.');
  end if;
  return subject;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.phone_keys(p_digits text)
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select coalesce(array_agg(distinct 'phone:' || substr(p_digits, place, 3)), '{}')
  from generate_series(1, length(p_digits) - 2) place
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.place_archive()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  select i.agent_id, i.kind, i.status, coalesce(i.started_at, i.queued_at)
  into new.agent_id, new.kind, new.interaction_status, new.happened_at
  from interactions i where i.id = new.interaction_id;
  return new;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.public_row(p_row interactions)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select to_jsonb(p_row) - 'resume_token_hash' - 'address_hash' - 'agent_snapshot'
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.purge_interaction(p_interaction_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  removed jsonb := floorwalker.empty_of(p_interaction_id);
begin
  update interactions set purged_at = clock_timestamp(), transcript_purged_at = coalesce(transcript_purged_at, clock_timestamp()),
    generation = generation + 1, customer_id = null, phone_number = null, phone_source = null,
    called_number = null, provider_call_id = null, agent_snapshot = null, disposition = null, supervisor_notes = null,
    supervisor_request_reason = null, end_requested_reason = null, resume_token_hash = null, origin = null,
    address_hash = null, rating_comment = null,
    -- A person may have written whole sentences there.
    end_reason = case when end_reason ~ '^[a-z_]{1,40}$' then end_reason else 'ended_by_supervisor' end
  where id = p_interaction_id;
  -- Once more: the changes above are noted for those who watch.
  perform floorwalker.empty_of(p_interaction_id);
  return removed;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.purge_supervision()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  delete from whispers where interaction_id = new.id;
  delete from callback_requests where interaction_id = new.id;
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.purge_transcript(p_interaction_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  update interactions set transcript_purged_at = clock_timestamp() where id = p_interaction_id;
  perform floorwalker.empty_of(p_interaction_id, array['interaction_archives', 'callback_requests']);
  perform floorwalker.index_archive(p_interaction_id);
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.queue_position(p_row interactions)
 RETURNS integer
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select case when p_row.status <> 'queued' then 0 else (
    select count(*)::integer from interactions w
    where w.agent_id = p_row.agent_id and w.status = 'queued'
      and (w.queued_at, w.id) <= (p_row.queued_at, p_row.id)) end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.reaches_agent(p_agent_id uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select p_agent_id = any (floorwalker.visible_agents())
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.read_leases(p_leases jsonb)
 RETURNS TABLE(interaction_id uuid, generation bigint, place bigint)
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select (l ->> 'interaction_id')::uuid, (l ->> 'generation')::bigint, place
  from jsonb_array_elements(p_leases) with ordinality as leases (l, place)
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.receipt_hash(p_receipt deletion_receipts)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select encode(sha256(convert_to(concat_ws('|', p_receipt.id, p_receipt.business_id, p_receipt.subject_kind,
    p_receipt.subject_hash, p_receipt.counts, p_receipt.deleted_by, p_receipt.deleted_by_name,
    extract(epoch from p_receipt.deleted_at)), 'utf8')), 'hex')
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.recount_days(p_business_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  -- What others add meanwhile waits, and is neither lost nor counted twice.
  lock table floorwalker.agent_days in share row exclusive mode;
  delete from floorwalker.agent_days d using agents a where a.id = d.agent_id and a.business_id = p_business_id;
  insert into floorwalker.agent_days (agent_id, day, calls, seconds, archives, first_contact, rated, csat, folded)
  select agent_id, day, sum(calls), sum(seconds), sum(archives), sum(first_contact), sum(rated), sum(csat), true from (
    select i.agent_id, (i.started_at at time zone b.time_zone)::date as day, 1 as calls,
      coalesce(i.duration_seconds, 0) as seconds, 0 as archives, 0 as first_contact, 0 as rated, 0::numeric as csat
    from businesses b join interactions i on i.business_id = b.id
    where b.id = p_business_id and i.status = 'completed' and i.kind = 'live' and i.started_at is not null
    union all
    select r.agent_id, (r.happened_at at time zone b.time_zone)::date, 0, 0, 1, coalesce(r.fcr_status, false)::integer,
      (r.csat_score is not null)::integer, coalesce(r.csat_score, 0)
    from businesses b join interaction_archives r on r.business_id = b.id
    where b.id = p_business_id and r.interaction_status = 'completed' and r.kind = 'live') counted
  group by agent_id, day;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.recount_moved_days()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  perform floorwalker.recount_days(new.id);
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.redact_audit(p_business_id uuid, p_subjects text[], p_phone text, p_receipt uuid)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  changed bigint;
begin
  update audit_events set details = jsonb_build_object('deleted_by_receipt', p_receipt)
  where business_id = p_business_id and details <> '{}'
    and (subject_id = any (p_subjects) or (p_phone is not null and position(p_phone in details::text) > 0));
  get diagnostics changed = row_count;
  return changed;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.refresh_agent_status()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  perform 1 from agents where id = new.agent_id for no key update;
  update agents set status = floorwalker.derive_agent_status(id)
  where id = new.agent_id and status is distinct from floorwalker.derive_agent_status(id);
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.refresh_paused()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  perform 1 from interactions where id = new.interaction_id for update;
  update interactions i set paused = pending.any_left
  from (select exists (select from tool_permissions p
          where p.interaction_id = new.interaction_id and p.status = 'pending') as any_left) pending
  where i.id = new.interaction_id and i.paused <> pending.any_left;
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.refuse_audit_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if tg_op = 'UPDATE' then
    if to_jsonb(new) - 'details' = to_jsonb(old) - 'details'
      and (select count(*) from jsonb_object_keys(new.details)) = 1
      and exists (select from deletion_receipts where id::text = new.details ->> 'deleted_by_receipt') then
      return new;
    end if;
  end if;
  perform floorwalker.fail('audit_append_only', 'The audit log is only ever added to.');
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.refuse_other_version(p_agent agents, p_version integer)
 RETURNS void
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  seen jsonb;
  latest agent_versions;
begin
  if p_version is not distinct from p_agent.version then
    return;
  end if;
  select definition into seen from agent_versions where agent_id = p_agent.id and version = p_version;
  select * into latest from agent_versions where agent_id = p_agent.id and version = p_agent.version;
  perform floorwalker.fail('version_conflict', format('The agent is at version %s by now%s.', p_agent.version,
    coalesce(', changed by ' || latest.changed_by_name, '')),
    jsonb_build_object('version', p_agent.version, 'your_version', p_version, 'changed_by_name', latest.changed_by_name,
      'source', latest.source, 'changed_at', latest.created_at,
      -- Null where the version that was seen is none of this agent's.
      'changed', case when seen is not null then floorwalker.row_difference(floorwalker.comparable_definition(seen),
        floorwalker.comparable_definition(floorwalker.agent_definition(p_agent.id))) end));
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.refuse_receipt_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  perform floorwalker.fail('audit_append_only', 'Receipts of deletions are only ever added.');
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.replay(p_interaction_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions;
  archive interaction_archives;
begin
  select * into mine from interactions where id = p_interaction_id and agent_id = any (floorwalker.visible_agents());
  if not found then
    perform floorwalker.fail('interaction_not_found', 'There is no such interaction.');
  end if;
  select * into archive from interaction_archives where interaction_id = mine.id;
  if not found then
    perform floorwalker.fail('archive_not_found', 'This interaction has no archive: it is still open, or it is older than what is kept.');
  end if;
  return jsonb_build_object(
    'interaction_id', mine.id, 'agent_id', mine.agent_id, 'agent_name', (select name from agents where id = mine.agent_id),
    'agent_version', (mine.agent_snapshot ->> 'version')::integer,
    'channel', mine.interaction_type, 'kind', mine.kind, 'direction', mine.direction, 'status', mine.status,
    'end_reason', mine.end_reason, 'phone_number', mine.phone_number, 'phone_source', mine.phone_source,
    'queued_at', mine.queued_at, 'started_at', coalesce(mine.started_at, mine.queued_at), 'ended_at', mine.ended_at,
    'duration_seconds', mine.duration_seconds, 'disposition', mine.disposition, 'supervisor_notes', mine.supervisor_notes,
    'rating', mine.rating, 'rating_comment', mine.rating_comment,
    'archive', jsonb_build_object('summary', archive.summary, 'summary_source', archive.summary_source,
      'issues', archive.issues, 'tags', archive.tags, 'csat_score', archive.csat_score, 'csat_source', archive.csat_source,
      'resolution_time_seconds', archive.resolution_time_seconds, 'fcr_status', archive.fcr_status,
      'metrics_series', archive.metrics_series, 'facts', archive.facts, 'created_at', archive.created_at),
    'messages', coalesce((select jsonb_agg(jsonb_build_object('seq', m.seq, 'item_id', m.item_id, 'role', m.role,
        'content', m.content, 'interrupted', m.interrupted, 'spoken_at', m.spoken_at, 'created_at', m.created_at) order by m.seq)
      from interaction_messages m where m.interaction_id = mine.id), '[]'),
    'steps', coalesce((select jsonb_agg(jsonb_build_object('id', s.id, 'step_id', s.step_id, 'step_type', s.step_type,
        'name', s.name, 'input', s.input, 'output', s.output, 'error', s.error, 'duration_ms', s.duration_ms,
        'model', s.model, 'tokens_input', s.tokens_input, 'tokens_output', s.tokens_output, 'characters', s.characters,
        'audio_seconds', s.audio_seconds, 'happened_at', s.happened_at) order by s.happened_at, s.id)
      from interaction_steps s where s.interaction_id = mine.id), '[]'),
    'tool_calls', coalesce((select jsonb_agg(jsonb_build_object('call_id', c.call_id, 'tool_name', c.tool_name,
        'arguments', c.arguments, 'state', c.state, 'refusal_reason', c.refusal_reason, 'output', c.output,
        'requires_permission', c.requires_permission, 'requested_at', c.requested_at, 'started_at', c.started_at,
        'finished_at', c.finished_at, 'duration_ms', c.duration_ms,
        'permission', case when p.id is not null then jsonb_build_object('status', p.status, 'note', p.note,
          'edited_arguments', p.edited_arguments, 'decided_by', p.decided_by,
          'decided_by_name', (select name from users where id = p.decided_by), 'responded_at', p.responded_at) end)
        order by c.requested_at, c.id)
      from tool_calls c left join tool_permissions p on p.id = c.permission_id where c.interaction_id = mine.id), '[]'));
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.require_actor()
 RETURNS users
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  me users := floorwalker.actor();
begin
  if me.id is null then
    perform floorwalker.fail('not_allowed', 'This account is not part of any business here.');
  end if;
  return me;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.require_admin()
 RETURNS users
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  me users := floorwalker.require_actor();
begin
  if me.role <> 'admin' then
    perform floorwalker.fail('not_allowed', 'Only an admin of the business may do that.');
  end if;
  return me;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.require_admin_alone()
 RETURNS users
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  me users := floorwalker.require_admin();
begin
  perform pg_advisory_xact_lock(hashtextextended('people:' || me.business_id, 0));
  return floorwalker.require_admin();
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.require_term(p_role text, p_term bigint)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  seat floorwalker.elections;
begin
  select * into seat from floorwalker.elections where role = p_role for share;
  if not found or seat.term <> p_term or seat.lease_until <= clock_timestamp() then
    perform floorwalker.fail('term_over', 'Another process was elected for this, or nobody is.',
      jsonb_build_object('term', seat.term));
  end if;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.resolved_at_first_contact(p_interaction_id uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select i.status = 'completed' and not exists (
    select from interactions later
    join interaction_archives later_archive on later_archive.interaction_id = later.id
    where later.business_id = i.business_id
      and later.phone_number = i.phone_number
      and later.kind = 'live'
      and i.kind = 'live'
      and later.id <> i.id
      and later.started_at > i.started_at
      and later.started_at <= i.started_at + interval '3 days'
      and exists (
        select from jsonb_array_elements(a.tags -> 'issues') mine
        join jsonb_array_elements(later_archive.tags -> 'issues') theirs on theirs ->> 'tag' = mine ->> 'tag'
      )
  )
  from interactions i join interaction_archives a on a.interaction_id = i.id
  where i.id = p_interaction_id
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.retention_figure(p_policy jsonb, p_name text, p_default integer)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select case
    when jsonb_typeof(p_policy -> p_name) = 'number' and (p_policy ->> p_name)::numeric between 0 and 36500
    then floor((p_policy ->> p_name)::numeric)::integer
    else p_default end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.row_difference(p_old jsonb, p_new jsonb)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select coalesce(jsonb_object_agg(key, jsonb_build_object('from', p_old -> key, 'to', p_new -> key)), '{}')
  from (select jsonb_object_keys(coalesce(p_old, '{}') || coalesce(p_new, '{}')) as key) keys
  where p_old -> key is distinct from p_new -> key
    and key not in ('created_at', 'updated_at', 'status', 'version', 'applied_version', 'last_seen_at')
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.rule_applies(p_when jsonb, p_effect text, p_mine interactions, p_tool_name text, p_call_id text, p_arguments jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  -- What can't be told counts against the call: it meets a rule that asks or forbids, and none that allows.
  in_doubt boolean := p_effect <> 'allow';
  item record;
  total numeric;
  here timestamp;
  bounds jsonb;
begin
  for item in select key, value from jsonb_each(coalesce(p_when -> 'arguments', '{}')) loop
    if not coalesce(floorwalker.condition_holds(item.value, p_arguments -> item.key), in_doubt) then
      return false;
    end if;
  end loop;
  for item in select key, value from jsonb_each(p_when) where key in ('interaction_total', 'day_total') loop
    total := floorwalker.tool_total(p_mine, p_tool_name, p_call_id, item.value ->> 'argument',
      p_arguments -> (item.value ->> 'argument'), replace(item.key, '_total', ''), coalesce(item.value ->> 'of', 'customer'));
    if not coalesce(floorwalker.condition_holds(item.value - 'argument' - 'of', to_jsonb(total)), in_doubt) then
      return false;
    end if;
  end loop;
  if p_when ? 'customer' and not (p_when -> 'customer') ? (case
      when p_mine.phone_number is null then 'unknown'
      when p_mine.phone_source in ('sip', 'verified') then 'verified' else 'claimed' end) then
    return false;
  end if;
  bounds := p_when -> 'time';
  if bounds is not null then
    select clock_timestamp() at time zone b.time_zone into here from businesses b where b.id = p_mine.business_id;
    if bounds ? 'days' and not (bounds -> 'days') ? lower(to_char(here, 'Dy')) then
      return false;
    end if;
    if bounds ? 'from' and not (case when (bounds ->> 'from')::time <= (bounds ->> 'to')::time
        then here::time >= (bounds ->> 'from')::time and here::time < (bounds ->> 'to')::time
        else here::time >= (bounds ->> 'from')::time or here::time < (bounds ->> 'to')::time end) then
      return false;
    end if;
  end if;
  return true;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.rules_of(p_mine interactions, p_row_name text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  rules jsonb;
begin
  select t.tool_config -> 'policy' into rules from agent_tools t
  where t.agent_id = p_mine.agent_id and t.tool_name = p_row_name;
  if jsonb_path_exists(coalesce(rules, '[]'), '$[*].when.day_total') then
    perform pg_advisory_xact_lock(hashtextextended(p_mine.business_id || ':' || p_row_name, 6));
  end if;
  return rules;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.scores(p_business_id uuid, p_period text)
 RETURNS TABLE(supervisor_id uuid, supervisor_type text, calls bigint, csat numeric, handle_time numeric, fcr numeric, score numeric)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  -- Outside the query: inside, it would not be evaluated, nor refused, where there is nothing to count.
  start_at constant timestamptz := floorwalker.period_start(p_period, (select time_zone from businesses where id = p_business_id));
begin
  return query
  with measured as (
    select u.id, u.supervisor_type as kind, coalesce(sum(s.calls), 0)::bigint as calls,
      sum(s.csat) / nullif(sum(s.rated), 0) as csat, sum(s.seconds) / nullif(sum(s.calls), 0) as aht,
      sum(s.first_contact) / nullif(sum(s.archives), 0) * 100 as fcr
    from users u
    left join agents a on a.supervisor_id = u.id
    left join floorwalker.agent_sums(p_business_id, start_at) s on s.agent_id = a.id
    where u.business_id = p_business_id and u.role = 'supervisor' and u.deleted_at is null
    group by u.id
  ), scaled as (
    select m.*,
      (m.calls - min(m.calls) over cohort)::numeric / nullif(max(m.calls) over cohort - min(m.calls) over cohort, 0) as calls_part,
      1 - (m.aht - min(m.aht) over cohort) / nullif(max(m.aht) over cohort - min(m.aht) over cohort, 0) as aht_part
    from measured m
    window cohort as (partition by m.kind)
  )
  select s.id, s.kind, s.calls, round(s.csat, 2), round(s.aht, 2), round(s.fcr, 2), round(100 * (
      0.5 * least(1, greatest(0, coalesce(s.csat, 0) / 100))
    + 0.3 * least(1, greatest(0, coalesce(s.calls_part, 0)))
    + 0.2 * least(1, greatest(0, coalesce(s.aht_part, 0)))), 2)
  from scaled s;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.seconds_until_free(p_times timestamp with time zone[], p_limit numeric)
 RETURNS integer
 LANGUAGE sql
 STABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select greatest(1, ceil(extract(epoch from
    (select t from unnest(p_times) t order by t desc offset greatest(p_limit::int - 1, 0) limit 1)
      + interval '1 minute' - clock_timestamp())))::integer
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.shop_order_view(p_order shop_orders)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select jsonb_build_object(
    'order_number', p_order.order_number, 'status', p_order.status, 'currency', p_order.currency,
    'placed_at', p_order.placed_at, 'shipped_at', p_order.shipped_at, 'expected_at', p_order.expected_at,
    'delivered_at', p_order.delivered_at, 'cancelled_at', p_order.cancelled_at,
    'carrier', p_order.carrier, 'tracking_number', p_order.tracking_number,
    'paid_cents', floorwalker.shop_paid_cents(p_order.id),
    'refunded_cents', floorwalker.shop_refunded_cents(p_order.id),
    'items', coalesce((select jsonb_agg(jsonb_build_object('name', name, 'quantity', quantity,
      'unit_price_cents', unit_price_cents) order by position) from shop_order_items where order_id = p_order.id), '[]'))
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.shop_paid_cents(p_order_id uuid)
 RETURNS bigint
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select coalesce(sum(quantity::bigint * unit_price_cents), 0)::bigint from shop_order_items where order_id = p_order_id
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.shop_refund_is_final()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  raise exception using errcode = '23514', message = 'A refund can not be changed.';
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.shop_refund_within_paid()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  of_order shop_orders;
begin
  select * into of_order from shop_orders where id = new.order_id for update;
  if of_order.business_id is distinct from new.business_id
    or floorwalker.shop_refunded_cents(new.order_id) + new.amount_cents > floorwalker.shop_paid_cents(new.order_id)
  then
    raise exception using errcode = '23514', message = 'A refund can not be more than what was paid for the order.';
  end if;
  return new;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.shop_refunded_cents(p_order_id uuid)
 RETURNS bigint
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select coalesce(sum(amount_cents), 0)::bigint from shop_refunds where order_id = p_order_id
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.snapshot_agent(p_agent_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select jsonb_build_object(
    'agent_id', a.id, 'name', a.name, 'slug', a.slug, 'agent_type', a.agent_type, 'version', a.version,
    'system_prompt', a.system_prompt, 'greeting', a.greeting, 'language', a.language,
    'model_settings', a.model_settings, 'voice_settings', a.voice_settings,
    'tools', coalesce((select jsonb_agg(to_jsonb(t) order by t.tool_name) from agent_tools t where t.agent_id = a.id), '[]'))
  from agents a where a.id = p_agent_id
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.snapshot_covers(p_snapshot pg_snapshot, p_older pg_snapshot)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select pg_snapshot_xmax(p_snapshot) >= pg_snapshot_xmax(p_older)
    and not exists (select from pg_snapshot_xip(p_snapshot) as running (xid) where pg_visible_in_snapshot(running.xid, p_older))
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.somebody_present(p_agent_id uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select exists (
    select from agents a
    join users u on u.business_id = a.business_id and (u.role = 'admin' or u.id in (a.supervisor_id, a.cover_id))
    where a.id = p_agent_id and u.deleted_at is null and u.last_seen_at > clock_timestamp() - interval '1 minute')
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.store_messages(p_interaction_id uuid, p_messages jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  message jsonb;
  next_seq bigint;
begin
  select coalesce(max(seq), 0) into next_seq from interaction_messages where interaction_id = p_interaction_id;
  for message in select m from jsonb_array_elements(p_messages) with ordinality as list (m, place) order by place loop
    -- An interrupted utterance is corrected to what was really heard.
    update interaction_messages set
      content = message ->> 'content',
      interrupted = coalesce((message ->> 'interrupted')::boolean, interrupted),
      metadata = metadata || coalesce(nullif(message -> 'metadata', 'null'), '{}')
    where interaction_id = p_interaction_id and item_id = message ->> 'item_id';
    if not found then
      next_seq := next_seq + 1;
      insert into interaction_messages (interaction_id, item_id, seq, role, content, interrupted, spoken_at, metadata)
      values (p_interaction_id, message ->> 'item_id', next_seq, message ->> 'role', message ->> 'content',
        coalesce((message ->> 'interrupted')::boolean, false), (message ->> 'spoken_at')::timestamptz,
        coalesce(nullif(message -> 'metadata', 'null'), '{}'));
    end if;
  end loop;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.store_steps(p_interaction_id uuid, p_steps jsonb)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  insert into interaction_steps (interaction_id, step_id, step_type, name, input, output, duration_ms, model,
    tokens_input, tokens_output, characters, audio_seconds, error, happened_at)
  select p_interaction_id, s ->> 'step_id', s ->> 'step_type', s ->> 'name', nullif(s -> 'input', 'null'),
    nullif(s -> 'output', 'null'), round((s ->> 'duration_ms')::numeric), s ->> 'model',
    (s ->> 'tokens_input')::integer, (s ->> 'tokens_output')::integer, (s ->> 'characters')::integer,
    (s ->> 'audio_seconds')::numeric, nullif(s -> 'error', 'null'),
    coalesce((s ->> 'happened_at')::timestamptz, clock_timestamp())
  from jsonb_array_elements(p_steps) with ordinality as list (s, place)
  order by place
  on conflict (interaction_id, step_id) do nothing
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.subject_interactions(p_business_id uuid, p_subject jsonb)
 RETURNS uuid[]
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  customer customers;
  found_ids uuid[];
begin
  if p_subject ? 'interaction_id' then
    select array_agg(id) into found_ids from interactions
    where business_id = p_business_id and purged_at is null
      and id = case when p_subject ->> 'interaction_id' ~* '^[0-9a-f-]{36}$' then (p_subject ->> 'interaction_id')::uuid end;
    if found_ids is null then
      perform floorwalker.fail('interaction_not_found', 'There is no such interaction.');
    end if;
    return found_ids;
  end if;
  select * into customer from customers
  where business_id = p_business_id
    and (id::text = p_subject ->> 'customer_id' or phone_number = p_subject ->> 'phone_number');
  select coalesce(array_agg(id), '{}') into found_ids from interactions
  where business_id = p_business_id
    and (customer_id = customer.id or phone_number = coalesce(customer.phone_number, p_subject ->> 'phone_number'));
  if customer.id is null and found_ids = '{}' and not exists (
      select from appointments where business_id = p_business_id and customer_phone = p_subject ->> 'phone_number') then
    perform floorwalker.fail('customer_not_found', 'There is no such customer.');
  end if;
  return found_ids;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.text_configuration(p_language text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select coalesce((
    select c.cfgname::text from pg_ts_config c
    where c.cfgnamespace = 'pg_catalog'::regnamespace and c.cfgname = '{
      "ar": "arabic", "hy": "armenian", "eu": "basque", "ca": "catalan", "da": "danish", "nl": "dutch", "en": "english",
      "fi": "finnish", "fr": "french", "de": "german", "el": "greek", "hi": "hindi", "hu": "hungarian",
      "id": "indonesian", "ga": "irish", "it": "italian", "lt": "lithuanian", "ne": "nepali", "nb": "norwegian",
      "nn": "norwegian", "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian",
      "es": "spanish", "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish"
    }'::jsonb ->> split_part(p_language, '-', 1)), 'simple')
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.tool_policy(p_rules jsonb, p_mine interactions, p_tool_name text, p_call_id text, p_arguments jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  item record;
  sums boolean;
begin
  if p_rules is null then
    return null;
  end if;
  for item in select value as rule, ordinality - 1 as place from jsonb_array_elements(p_rules) with ordinality loop
    sums := (item.rule -> 'when') ?| array['interaction_total', 'day_total'];
    if item.rule ->> 'effect' in ('allow', 'ask', 'forbid') and floorwalker.rule_applies(coalesce(item.rule -> 'when', '{}'),
        item.rule ->> 'effect', p_mine, p_tool_name, p_call_id, p_arguments) then
      return jsonb_build_object('effect', item.rule ->> 'effect', 'rule', item.place, 'because', item.rule ->> 'because',
        'sums', coalesce(sums, false));
    end if;
  end loop;
  return null;
exception when others then
  return jsonb_build_object('effect', 'forbid', 'rule', null, 'because', 'The rules of this tool can not be read.', 'sums', false);
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.tool_total(p_mine interactions, p_tool_name text, p_call_id text, p_argument text, p_own jsonb, p_over text, p_of text)
 RETURNS numeric
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select case when floorwalker.as_number(p_own) is null or coalesce(bool_or(amount is null), false) then null
    else coalesce(sum(greatest(amount, 0)), 0) + greatest(floorwalker.as_number(p_own), 0) end
  from (
    select floorwalker.as_number(coalesce(p.edited_arguments, c.arguments) -> p_argument) as amount
    from tool_calls c
    join interactions i on i.id = c.interaction_id
    left join tool_permissions p on p.id = c.permission_id
    where c.tool_name = p_tool_name
      and not (c.interaction_id = p_mine.id and c.call_id = p_call_id)
      and c.state in ('requested', 'awaiting_permission', 'running', 'succeeded', 'unknown')
      and case when p_over = 'interaction' then c.interaction_id = p_mine.id
        else i.business_id = p_mine.business_id
          -- Those whom nobody knows count as one: a new chat is no new allowance, nor is another number claimed in it.
          and (p_of = 'business'
            or (case when i.phone_source in ('sip', 'verified') then i.customer_id end)
              is not distinct from (case when p_mine.phone_source in ('sip', 'verified') then p_mine.customer_id end))
          and c.requested_at >= (select date_trunc('day', clock_timestamp() at time zone b.time_zone) at time zone b.time_zone
            from businesses b where b.id = p_mine.business_id)
        end
  ) earlier
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.touch_updated_at()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if new is distinct from old then
    new.updated_at := clock_timestamp();
  end if;
  return new;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.trace(p_interaction_id uuid, p_step_type text, p_input jsonb, p_output jsonb)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  insert into interaction_steps (interaction_id, step_id, step_type, input, output)
  values (p_interaction_id, p_step_type || ':' || gen_random_uuid(), p_step_type, p_input, p_output)
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.update_fcr_on_followup()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions;
begin
  perform floorwalker.lock_customer_history(new.interaction_id);
  select * into mine from interactions where id = new.interaction_id;
  update interaction_archives a
  set fcr_status = floorwalker.resolved_at_first_contact(a.interaction_id)
  from interactions i
  where i.id = a.interaction_id
    and (i.id = mine.id or (
      i.business_id = mine.business_id and i.phone_number = mine.phone_number
      and i.kind = 'live' and mine.kind = 'live'
      and i.started_at < mine.started_at and i.started_at >= mine.started_at - interval '3 days'))
    and a.fcr_status is distinct from floorwalker.resolved_at_first_contact(a.interaction_id);
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.valid_hours(p_hours jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  day text;
  open jsonb;
begin
  if jsonb_typeof(p_hours) <> 'object' then
    return false;
  end if;
  for day in select jsonb_object_keys(p_hours) loop
    if day not in ('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun') or jsonb_typeof(p_hours -> day) <> 'array' then
      return false;
    end if;
    for open in select jsonb_array_elements(p_hours -> day) loop
      if jsonb_typeof(open) <> 'array' or jsonb_array_length(open) <> 2
        or not coalesce(open ->> 0 ~ '^([01]\d|2[0-3]):[0-5]\d$', false)
        or not coalesce(open ->> 1 ~ '^(([01]\d|2[0-3]):[0-5]\d|24:00)$', false) or open ->> 0 >= open ->> 1 then
        return false;
      end if;
    end loop;
  end loop;
  return true;
end
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.vector_schema()
 RETURNS text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select n.nspname::text from pg_extension e join pg_namespace n on n.oid = e.extnamespace
  where e.extname = 'vector' and to_regclass('floorwalker.knowledge_vectors') is not null
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.visible_agents()
 RETURNS uuid[]
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select floorwalker.visible_agents_of((select floorwalker.actor_id()))
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.visible_agents_of(p_user_id uuid)
 RETURNS uuid[]
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select coalesce(array_agg(a.id), '{}')
  from users u
  join agents a on a.business_id = u.business_id
    and (u.role = 'admin' or a.supervisor_id = u.id or a.cover_id = u.id)
  where u.id = p_user_id and u.deleted_at is null
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.whisper_row(p_row whispers)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select jsonb_build_object('id', p_row.id, 'kind', p_row.kind, 'text', p_row.content, 'by_name', p_row.by_name, 'at', p_row.created_at)
$function$
;

CREATE OR REPLACE FUNCTION floorwalker.write_definition(p_agent agents, p_definition jsonb, p_context jsonb)
 RETURNS agents
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  written agents;
begin
  perform set_config('floorwalker.edit', p_context::text, true);
  perform set_config('floorwalker.editing', 'on', true);
  update agents set
    name = p_definition ->> 'name', language = p_definition ->> 'language',
    public = (p_definition ->> 'public')::boolean,
    max_concurrent_interactions = (p_definition ->> 'max_concurrent_interactions')::integer,
    greeting = p_definition ->> 'greeting', system_prompt = p_definition ->> 'system_prompt',
    model_settings = p_definition -> 'model_settings', voice_settings = p_definition -> 'voice_settings'
  where id = p_agent.id returning * into written;
  if floorwalker.apply_tools(p_agent.id, p_definition -> 'tools') and written.version = p_agent.version then
    update agents set version = version + 1 where id = p_agent.id returning * into written;
  end if;
  perform set_config('floorwalker.editing', '', true);
  return written;
end
$function$
;

CREATE OR REPLACE FUNCTION public.add_person(p_person jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  me users := floorwalker.require_admin_alone();
  account uuid := (p_person ->> 'id')::uuid;
  address text;
  existing users;
begin
  -- The address is what Auth knows, not what the caller says.
  select email into address from auth.users where id = account;
  if address is null then
    perform floorwalker.fail('user_not_found', 'Supabase Auth has no account with this id.');
  end if;
  perform check_person(p_person || jsonb_build_object('email', address));
  insert into users (id, business_id, email, role, name, username, supervisor_type)
  values (account, me.business_id, address, p_person ->> 'role', p_person ->> 'name',
    p_person ->> 'username', p_person ->> 'supervisor_type')
  on conflict (id) do update set email = excluded.email, role = excluded.role, name = excluded.name,
    username = excluded.username, supervisor_type = excluded.supervisor_type, deleted_at = null
  -- Only somebody who was removed from this very business comes back.
  where users.business_id = excluded.business_id and users.deleted_at is not null;
  if not found then
    select * into existing from users where id = account;
    if existing.business_id <> me.business_id then
      perform floorwalker.fail('user_of_another_business', 'This account belongs to another business.');
    end if;
    perform floorwalker.fail('person_exists', 'This person is part of the business already.');
  end if;
  return jsonb_build_object('id', account);
end
$function$
;

CREATE OR REPLACE FUNCTION public.append_interim(p_rows jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  told integer;
begin
  with accepted as materialized (
    select i.id, r, place
    from jsonb_array_elements(p_rows) with ordinality as list (r, place)
    join interactions i on i.id = (r ->> 'interaction_id')::uuid and i.generation = (r ->> 'generation')::bigint
      and i.status = 'active'
    where length(r ->> 'item_id') between 1 and 200 and r ->> 'role' in ('customer', 'agent', 'supervisor')
      and length(r ->> 'content') <= 10000
      and not exists (select from interaction_messages m where m.interaction_id = i.id and m.item_id = r ->> 'item_id')),
  kept as (
    insert into floorwalker.unfinished_answers as known (interaction_id, item_id, content, began_at)
    select distinct on (id) id, r ->> 'item_id', r ->> 'content', (r ->> 'began_at')::timestamptz
    from accepted where r ->> 'role' = 'agent' and r ? 'began_at'
    order by id, place desc
    on conflict (interaction_id) do update
      set item_id = excluded.item_id, content = excluded.content, began_at = excluded.began_at
      where excluded.began_at >= known.began_at)
  insert into floorwalker.changes (kind, interaction_id, payload)
  select 'message', id, jsonb_build_object('item_id', r ->> 'item_id', 'role', r ->> 'role', 'content', r ->> 'content')
  from accepted order by place;
  get diagnostics told = row_count;
  return jsonb_build_object('told', told, 'refused', jsonb_array_length(p_rows) - told);
end
$function$
;

CREATE OR REPLACE FUNCTION public.append_left_records(p_batch jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  entry jsonb;
  mine interactions;
  new_facts jsonb;
  results jsonb := '[]';
begin
  perform 1 from interactions i
  join (select distinct (e ->> 'interaction_id')::uuid as id from jsonb_array_elements(p_batch) e) b on b.id = i.id
  order by i.agent_id, i.id for update of i;

  for entry in select e from jsonb_array_elements(p_batch) with ordinality as list (e, place) order by place loop
    select * into mine from interactions where id = (entry ->> 'interaction_id')::uuid;
    -- What was deleted meanwhile stays deleted.
    if not found or mine.purged_at is not null then
      results := results || jsonb_build_object('interaction_id', entry ->> 'interaction_id', 'stored', false,
        'reason', 'not_found');
      continue;
    end if;
    if mine.generation < (entry ->> 'generation')::bigint then
      results := results || jsonb_build_object('interaction_id', mine.id, 'stored', false, 'reason', 'stale');
      continue;
    end if;
    -- Nobody has spoken after it: what it said last of an utterance counts.
    if mine.generation = (entry ->> 'generation')::bigint then
      perform floorwalker.store_messages(mine.id, coalesce(entry -> 'messages', '[]'));
    end if;
    if mine.generation > (entry ->> 'generation')::bigint or mine.status <> 'active' then
      perform floorwalker.insert_left_messages(mine.id, coalesce(entry -> 'messages', '[]'));
    end if;
    perform floorwalker.store_steps(mine.id, coalesce(entry -> 'steps', '[]'));
    results := results || jsonb_build_object('interaction_id', mine.id, 'stored', true);

    -- The archive of one that has ended counted without them; its metrics are reduced already.
    continue when mine.status not in ('completed', 'failed');
    new_facts := floorwalker.facts(mine);
    update interaction_archives a set
      facts = a.facts || jsonb_build_object('messages', new_facts -> 'messages', 'takeovers', new_facts -> 'takeovers',
        'tokens_input', new_facts -> 'tokens_input', 'tokens_output', new_facts -> 'tokens_output'),
      summary = case a.summary_source when 'facts' then floorwalker.facts_summary(mine, new_facts) else a.summary end
    where a.interaction_id = mine.id;
  end loop;
  return results;
end
$function$
;

CREATE OR REPLACE FUNCTION public.append_records(p_batch jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  entry jsonb;
  wanted bigint;
  current_generation bigint;
  known boolean;
  results jsonb := '[]';
begin
  perform 1 from interactions i
  join (select distinct (e ->> 'interaction_id')::uuid as id from jsonb_array_elements(p_batch) e) b on b.id = i.id
  order by i.agent_id, i.id for no key update of i;

  for entry in select e from jsonb_array_elements(p_batch) with ordinality as list (e, place) order by place loop
    wanted := (entry ->> 'generation')::bigint;
    select generation into current_generation from interactions where id = (entry ->> 'interaction_id')::uuid;
    known := found;
    if known and current_generation = wanted then
      perform floorwalker.store_messages((entry ->> 'interaction_id')::uuid, coalesce(entry -> 'messages', '[]'));
      perform floorwalker.store_steps((entry ->> 'interaction_id')::uuid, coalesce(entry -> 'steps', '[]'));
      results := results || jsonb_build_object('interaction_id', entry ->> 'interaction_id', 'stored', true);
    else
      results := results || jsonb_build_object('interaction_id', entry ->> 'interaction_id', 'stored', false,
        'reason', case when known then 'stale' else 'not_found' end);
    end if;
  end loop;
  return results;
end
$function$
;

CREATE OR REPLACE FUNCTION public.apply_agent(p_definition jsonb, p_expected_version integer DEFAULT NULL::integer, p_force boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  business businesses := floorwalker.find_business(p_definition);
  old_row agents;
  new_row agents;
  supervisor uuid := floorwalker.find_person(business.id, p_definition ->> 'supervisor_id', p_definition ->> 'supervisor', 'supervisor_invalid');
  cover uuid := floorwalker.find_person(business.id, p_definition ->> 'cover_id', p_definition ->> 'cover', 'cover_invalid');
  tools_changed boolean;
begin
  perform pg_advisory_xact_lock(hashtextextended('apply:' || business.id || (p_definition ->> 'slug'), 0));
  perform set_config('floorwalker.applying', 'on', true);
  select * into old_row from agents where business_id = business.id and slug = p_definition ->> 'slug' for no key update;

  if old_row.id is not null and not coalesce(p_force, false) and p_expected_version is distinct from old_row.version then
    perform floorwalker.fail('agent_version_conflict',
      format('Agent "%s" was changed elsewhere: it is at version %s.', old_row.slug, old_row.version),
      jsonb_build_object('agent_id', old_row.id, 'version', old_row.version, 'expected_version', p_expected_version));
  end if;

  if old_row.id is null then
    insert into agents (business_id, slug, supervisor_id, cover_id, name, agent_type, system_prompt, greeting, language,
      model_settings, voice_settings, mcp_tools, public, max_concurrent_interactions)
    values (business.id, p_definition ->> 'slug', supervisor, cover, p_definition ->> 'name', p_definition ->> 'agent_type',
      p_definition ->> 'system_prompt', p_definition ->> 'greeting', coalesce(p_definition ->> 'language', 'en'),
      coalesce(nullif(p_definition -> 'model_settings', 'null'), '{}'), coalesce(nullif(p_definition -> 'voice_settings', 'null'), '{}'),
      nullif(p_definition -> 'mcp_tools', 'null'), coalesce((p_definition ->> 'public')::boolean, false),
      coalesce((p_definition ->> 'max_concurrent_interactions')::integer, 1))
    returning * into new_row;
  else
    update agents set
      supervisor_id = coalesce(supervisor, supervisor_id), cover_id = cover, name = p_definition ->> 'name',
      agent_type = p_definition ->> 'agent_type', system_prompt = p_definition ->> 'system_prompt',
      greeting = p_definition ->> 'greeting', language = coalesce(p_definition ->> 'language', 'en'),
      model_settings = coalesce(nullif(p_definition -> 'model_settings', 'null'), '{}'),
      voice_settings = coalesce(nullif(p_definition -> 'voice_settings', 'null'), '{}'),
      mcp_tools = nullif(p_definition -> 'mcp_tools', 'null'),
      public = coalesce((p_definition ->> 'public')::boolean, false),
      max_concurrent_interactions = coalesce((p_definition ->> 'max_concurrent_interactions')::integer, 1),
      deleted_at = null
    where id = old_row.id returning * into new_row;
  end if;

  tools_changed := floorwalker.apply_tools(new_row.id, coalesce(nullif(p_definition -> 'tools', 'null'), '[]'));
  if old_row.id is not null and tools_changed and new_row.version = old_row.version then
    update agents set version = version + 1 where id = new_row.id returning * into new_row;
  end if;
  perform set_config('floorwalker.applying', '', true);
  return jsonb_build_object('agent_id', new_row.id, 'version', new_row.version,
    'created', old_row.id is null, 'changed', old_row.id is null or new_row.version <> old_row.version);
end
$function$
;

CREATE OR REPLACE FUNCTION public.apply_agents(p_agents jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  item jsonb;
  results jsonb := '[]';
begin
  perform set_config('floorwalker.edit', '{"source": "apply"}', true);
  for item in select * from jsonb_array_elements(p_agents) loop
    results := results || jsonb_build_array(apply_agent(
      item -> 'definition', (item ->> 'expected_version')::integer, coalesce((item ->> 'force')::boolean, false)));
  end loop;
  return results;
end
$function$
;

CREATE OR REPLACE FUNCTION public.apply_retention(p_limit integer DEFAULT 500, p_term bigint DEFAULT NULL::bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  business businesses;
  batch jsonb;
  total jsonb := '{"interactions": 0, "transcripts": 0, "metrics": 0, "customers": 0, "more": false}';
  remaining integer := greatest(coalesce(p_limit, 500), 1);
begin
  if p_term is not null then
    perform floorwalker.require_term('housekeeping', p_term);
  end if;
  -- Whoever has waited longest comes first, so that the backlog of one business can't keep the others from theirs.
  for business in
    select b.* from businesses b left join floorwalker.retention_progress r on r.business_id = b.id
    order by r.last_removed_at nulls first, b.id
  loop
    batch := floorwalker.apply_policy(business, remaining);
    remaining := remaining - (batch ->> 'interactions')::integer - (batch ->> 'transcripts')::integer;
    total := jsonb_build_object(
      'interactions', (total ->> 'interactions')::bigint + (batch ->> 'interactions')::bigint,
      'transcripts', (total ->> 'transcripts')::bigint + (batch ->> 'transcripts')::bigint,
      'metrics', (total ->> 'metrics')::bigint + (batch ->> 'metrics')::bigint,
      'customers', (total ->> 'customers')::bigint + (batch ->> 'customers')::bigint,
      'more', (total ->> 'more')::boolean or (batch ->> 'more')::boolean);
    exit when remaining <= 0;
  end loop;
  return total;
end
$function$
;

CREATE OR REPLACE FUNCTION public.appointment_cancel(p_business_id uuid, p_phone text, p_reference integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine appointments;
begin
  perform floorwalker.check_tool_business(p_business_id);
  select * into mine from appointments where business_id = p_business_id and customer_phone = p_phone and reference = p_reference
    and status in ('confirmed', 'cancelled') and starts_at > clock_timestamp() for update;
  if not found then
    return jsonb_build_object('outcome', 'not_found');
  end if;
  if mine.status = 'cancelled' then
    return jsonb_build_object('outcome', 'done', 'repeated', true, 'appointment', floorwalker.appointment_view(mine));
  end if;
  update appointments set status = 'cancelled' where id = mine.id returning * into mine;
  return jsonb_build_object('outcome', 'done', 'repeated', false, 'appointment', floorwalker.appointment_view(mine));
end
$function$
;

CREATE OR REPLACE FUNCTION public.appointment_list(p_business_id uuid, p_phone text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  perform floorwalker.check_tool_business(p_business_id);
  return (select coalesce(jsonb_agg(floorwalker.appointment_view(a) order by a.starts_at), '[]') from (
    select * from appointments where business_id = p_business_id and customer_phone = p_phone and status = 'confirmed'
      and ends_at > clock_timestamp() order by starts_at limit 10) a);
end
$function$
;

CREATE OR REPLACE FUNCTION public.appointment_put(p_business_id uuid, p_phone text, p_reference integer, p_calendar text, p_starts_at timestamp without time zone, p_name text, p_reason text, p_key text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  calendar appointment_calendars;
  mine appointments;
  earlier appointment_requests;
  zone text := (select time_zone from businesses where id = p_business_id);
  minutes integer;
  new_start timestamptz := p_starts_at at time zone zone;
  wish jsonb := jsonb_build_object('phone', p_phone, 'reference', p_reference, 'calendar', lower(p_calendar),
    'starts_at', to_char(p_starts_at, 'YYYY-MM-DD"T"HH24:MI'));
begin
  perform floorwalker.check_tool_business(p_business_id);
  -- The same request twice at once: the second waits, and finds what the first did.
  perform pg_advisory_xact_lock(hashtextextended('appointment:' || p_business_id || ':' || p_key, 0));
  select * into earlier from appointment_requests where business_id = p_business_id and idempotency_key = p_key;
  if found then
    if earlier.request <> wish then
      return jsonb_build_object('outcome', 'key_reused');
    end if;
    select * into mine from appointments where id = earlier.appointment_id;
    return jsonb_build_object('outcome', 'done', 'repeated', true, 'appointment', floorwalker.appointment_view(mine));
  end if;
  if p_reference is not null then
    select * into mine from appointments where business_id = p_business_id and customer_phone = p_phone
      and reference = p_reference and status = 'confirmed' and starts_at > clock_timestamp() for update;
    if not found then
      return jsonb_build_object('outcome', 'not_found');
    end if;
    select * into calendar from appointment_calendars where id = mine.calendar_id for no key update;
    minutes := extract(epoch from mine.ends_at - mine.starts_at) / 60;
  else
    calendar := floorwalker.find_calendar(p_business_id, p_calendar);
    if calendar.id is null then
      return floorwalker.no_calendar(p_business_id);
    end if;
    -- Two at once meet here one after the other, so that the second is told what is still free.
    select * into calendar from appointment_calendars where id = calendar.id for no key update;
    minutes := calendar.slot_minutes;
    if (select count(*) from appointments where calendar_id = calendar.id and customer_phone = p_phone and status = 'confirmed'
        and ends_at > clock_timestamp()) >= calendar.per_customer then
      return jsonb_build_object('outcome', 'too_many', 'limit', calendar.per_customer);
    end if;
  end if;
  if mine.starts_at is distinct from new_start and not exists (
      select from floorwalker.free_slots(calendar, zone, p_starts_at::date, 1, minutes, mine.id) where local_start = p_starts_at) then
    return jsonb_build_object('outcome', 'not_free', 'free', coalesce((select jsonb_agg(to_char(s.local_start, 'YYYY-MM-DD"T"HH24:MI'))
      from (select local_start from floorwalker.free_slots(calendar, zone,
        greatest(p_starts_at::date, (clock_timestamp() at time zone zone)::date), 7, minutes, mine.id) limit 6) s), '[]'));
  end if;
  if mine.id is not null then
    update appointments set starts_at = new_start, ends_at = new_start + make_interval(mins => minutes)
    where id = mine.id returning * into mine;
  else
    insert into appointments (business_id, calendar_id, reference, customer_phone, customer_name, reason, starts_at, ends_at, source)
    values (p_business_id, calendar.id, floorwalker.next_appointment_reference(p_business_id), p_phone, nullif(p_name, ''), p_reason,
      new_start, new_start + make_interval(mins => minutes), 'agent')
    returning * into mine;
  end if;
  insert into appointment_requests (business_id, idempotency_key, request, appointment_id) values (p_business_id, p_key, wish, mine.id);
  return jsonb_build_object('outcome', 'done', 'repeated', false, 'appointment', floorwalker.appointment_view(mine));
end
$function$
;

CREATE OR REPLACE FUNCTION public.appointment_slots(p_business_id uuid, p_calendar text, p_from date, p_days integer, p_limit integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  calendar appointment_calendars;
  zone text := (select time_zone from businesses where id = p_business_id);
begin
  perform floorwalker.check_tool_business(p_business_id);
  calendar := floorwalker.find_calendar(p_business_id, p_calendar);
  if calendar.id is null then
    return floorwalker.no_calendar(p_business_id);
  end if;
  return jsonb_build_object('outcome', 'slots', 'calendar', calendar.name, 'time_zone', zone, 'minutes', calendar.slot_minutes,
    'now', to_char(clock_timestamp() at time zone zone, 'YYYY-MM-DD"T"HH24:MI'),
    'slots', coalesce((select jsonb_agg(jsonb_build_object('starts_at', to_char(s.local_start, 'YYYY-MM-DD"T"HH24:MI'),
        'weekday', to_char(s.local_start, 'FMDay')) order by s.local_start) from (
      select local_start from floorwalker.free_slots(calendar, zone,
        greatest(p_from, (clock_timestamp() at time zone zone)::date), least(greatest(p_days, 1), 31), calendar.slot_minutes, null)
      limit least(greatest(p_limit, 1), 50)) s), '[]'));
end
$function$
;

CREATE OR REPLACE FUNCTION public.archive_replay(p_interaction_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select floorwalker.replay(p_interaction_id)
$function$
;

CREATE OR REPLACE FUNCTION public.assign_agent(p_agent_id uuid, p_change jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  me users := floorwalker.require_admin();
  mine agents := floorwalker.agent_for_actor(p_agent_id);
  supervisor uuid := coalesce((p_change ->> 'supervisor_id')::uuid, mine.supervisor_id);
  cover uuid := case when p_change ? 'cover_id' then (p_change ->> 'cover_id')::uuid else mine.cover_id end;
begin
  if supervisor = cover then
    perform floorwalker.fail('cover_invalid', 'Supervisor and cover are the same person; name another cover, or none.');
  end if;
  perform set_config('floorwalker.edit', '{"source": "assignment"}', true);
  update agents set supervisor_id = supervisor, cover_id = cover
  where id = mine.id and (supervisor_id, cover_id) is distinct from (supervisor, cover)
  returning * into mine;
  return jsonb_build_object('id', p_agent_id);
end
$function$
;

CREATE OR REPLACE FUNCTION public.begin_archive_export(p_filter jsonb, p_format text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  me constant users := floorwalker.require_actor();
begin
  perform floorwalker.archive_conditions(p_filter);
  perform floorwalker.audit(me.business_id, 'archive.exported', 'interaction_archives', me.business_id::text,
    jsonb_build_object('format', p_format, 'filter', (p_filter - 'text' - 'phone')
      || jsonb_build_object('text', p_filter ->> 'text' is not null, 'phone', p_filter ->> 'phone' is not null)));
  return jsonb_build_object('time_zone', (select time_zone from businesses where id = me.business_id));
end
$function$
;

CREATE OR REPLACE FUNCTION public.calculate_performance_score(p_supervisor_id uuid, p_period text DEFAULT 'month'::text)
 RETURNS numeric
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  subject users;
begin
  select * into subject from users where id = p_supervisor_id and role = 'supervisor' and deleted_at is null;
  if auth.uid() is not null and not coalesce(
    (subject.id = (floorwalker.actor()).id) or subject.business_id = floorwalker.admin_business(), false) then
    perform floorwalker.fail('not_allowed', 'You can see your own score, and as an admin those of your business.');
  end if;
  if subject.id is null then
    perform floorwalker.fail('user_not_found', 'There is no such supervisor.');
  end if;
  return (select s.score from floorwalker.scores(subject.business_id, p_period) s where s.supervisor_id = subject.id);
end
$function$
;

CREATE OR REPLACE FUNCTION public.change_business(p_change jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  me users := floorwalker.require_admin();
  old_row businesses;
  new_row businesses;
  origins text[];
begin
  select * into old_row from businesses where id = me.business_id for no key update;
  if p_change ? 'expected_updated_at' and (p_change ->> 'expected_updated_at')::timestamptz <> old_row.updated_at then
    perform floorwalker.fail('version_conflict', 'The settings were changed since they were read.',
      jsonb_build_object('updated_at', old_row.updated_at));
  end if;
  origins := case when p_change ? 'allowed_origins'
    then array(select jsonb_array_elements_text(p_change -> 'allowed_origins')) else old_row.allowed_origins end;
  perform floorwalker.check_origins(origins);
  perform floorwalker.check_retention(coalesce(p_change -> 'retention', '{}'));
  if p_change ? 'tag_vocabulary' then
    perform floorwalker.check_vocabulary(p_change -> 'tag_vocabulary');
  end if;
  update businesses set
    name = coalesce(p_change ->> 'name', name), time_zone = coalesce(p_change ->> 'time_zone', time_zone),
    allowed_origins = origins, retention = coalesce(p_change -> 'retention', retention),
    tag_vocabulary = coalesce(p_change -> 'tag_vocabulary', tag_vocabulary)
  where id = me.business_id returning * into new_row;
  if floorwalker.row_difference(to_jsonb(old_row), to_jsonb(new_row)) <> '{}' then
    perform floorwalker.audit(me.business_id, 'business.changed', 'businesses', me.business_id::text,
      floorwalker.row_difference(to_jsonb(old_row), to_jsonb(new_row)));
  end if;
  return jsonb_build_object('id', me.business_id);
end
$function$
;

CREATE OR REPLACE FUNCTION public.change_person(p_user_id uuid, p_change jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  me users := floorwalker.require_admin_alone();
  subject users := floorwalker.person_for_admin(me, p_user_id);
  wanted jsonb := to_jsonb(subject) || p_change;
begin
  if wanted ->> 'role' = 'admin' then
    wanted := wanted || '{"username": null, "supervisor_type": null}';
  elsif wanted ->> 'username' is null or wanted ->> 'supervisor_type' is null then
    perform floorwalker.fail('invalid_request', 'A supervisor needs a username and a supervisor_type.');
  end if;
  if subject.role = 'admin' and wanted ->> 'role' <> 'admin' and not exists (
    select from users where business_id = me.business_id and role = 'admin' and deleted_at is null and id <> subject.id) then
    perform floorwalker.fail('last_admin', 'A business without an admin could not be administered any more.');
  end if;
  perform floorwalker.check_username(me.business_id, wanted ->> 'username', subject.id);
  update users set name = wanted ->> 'name', username = wanted ->> 'username', role = wanted ->> 'role',
    supervisor_type = wanted ->> 'supervisor_type'
  where id = subject.id;
  return jsonb_build_object('id', subject.id);
end
$function$
;

CREATE OR REPLACE FUNCTION public.check_person(p_person jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  me users := floorwalker.require_admin();
  existing users;
begin
  select * into existing from users where lower(email) = lower(p_person ->> 'email');
  if existing.business_id <> me.business_id then
    perform floorwalker.fail('user_of_another_business', 'This account belongs to another business.');
  end if;
  if existing.id is not null and existing.deleted_at is null then
    perform floorwalker.fail('person_exists', 'This person is part of the business already.');
  end if;
  perform floorwalker.check_username(me.business_id, p_person ->> 'username', existing.id);
  return jsonb_build_object('returning', existing.id is not null);
end
$function$
;

CREATE OR REPLACE FUNCTION public.claim_interaction(p_interaction_id uuid, p_worker_id text, p_lease_seconds numeric)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  agent agents;
  taken interactions;
  recovered boolean;
  lost boolean;
  moment timestamptz;
begin
  select a.* into agent from interactions i join agents a on a.id = i.agent_id where i.id = p_interaction_id;
  if not found then
    return jsonb_build_object('claimed', false, 'reason', 'not_found');
  end if;
  -- One claim of an agent at a time: a cap that two claims can pass together is no cap.
  perform pg_advisory_xact_lock(hashtextextended('claim:' || agent.id, 0));
  select * into taken from interactions where id = p_interaction_id for update;
  moment := clock_timestamp();

  if taken.status in ('completed', 'failed') then
    return jsonb_build_object('claimed', false, 'reason', 'ended');
  end if;
  recovered := taken.status = 'active';
  if recovered and taken.lease_until > moment then
    return jsonb_build_object('claimed', false, 'reason', 'held');
  end if;
  if not recovered and agent.max_concurrent_interactions <= (
    select count(*) from interactions where agent_id = agent.id and status = 'active') then
    return jsonb_build_object('claimed', false, 'reason', 'agent_at_capacity');
  end if;
  lost := recovered and taken.handed_over_generation < taken.generation;

  update interactions set
    status = 'active',
    started_at = coalesce(started_at, moment),
    answered_at = coalesce(answered_at, moment),
    agent_snapshot = coalesce(agent_snapshot, floorwalker.snapshot_agent(agent.id)),
    worker_id = p_worker_id,
    lease_until = moment + make_interval(secs => p_lease_seconds::double precision),
    generation = generation + 1,
    claim_attempts = claim_attempts + 1,
    claimed_at = moment,
    recoveries = case
      when not lost then recoveries
      when claimed_at < moment - floorwalker.healthy_stretch() then 1
      else recoveries + 1 end,
    -- Whoever was handed it and died before it had loaded anything has broken nothing off.
    handed_over_generation = case
      when loaded_generation < generation and handed_over_generation = generation - 1 then generation
      else handed_over_generation end
  where id = taken.id
  returning * into taken;

  return jsonb_build_object(
    'claimed', true, 'generation', taken.generation, 'recovered', recovered, 'now', moment,
    'interaction', floorwalker.public_row(taken),
    'business', (select to_jsonb(b) from businesses b where b.id = taken.business_id),
    'agent', to_jsonb(agent),
    'tools', coalesce((select jsonb_agg(to_jsonb(t) order by t.tool_name) from agent_tools t where t.agent_id = agent.id), '[]'),
    'snapshot', taken.agent_snapshot,
    'messages', coalesce((select jsonb_agg(to_jsonb(m) order by m.seq)
      from interaction_messages m where m.interaction_id = taken.id), '[]'),
    'open_calls', coalesce((select jsonb_agg(to_jsonb(c) || jsonb_build_object('permission', to_jsonb(p)) order by c.requested_at, c.id)
      from tool_calls c left join tool_permissions p on p.id = c.permission_id
      where c.interaction_id = taken.id and c.state in ('requested', 'awaiting_permission', 'running')), '[]'));
end
$function$
;

CREATE OR REPLACE FUNCTION public.claim_interactions(p_interaction_ids uuid[], p_worker_id text, p_lease_seconds numeric)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  wanted uuid;
  answers jsonb := '{}';
begin
  -- By agent, for the same reason.
  for wanted in
    select distinct on (i.agent_id, w.id) w.id from unnest(p_interaction_ids) w(id) left join interactions i on i.id = w.id
    order by i.agent_id, w.id
  loop
    answers := answers || jsonb_build_object(wanted, public.claim_interaction(wanted, p_worker_id, p_lease_seconds));
  end loop;
  return answers;
end
$function$
;

CREATE OR REPLACE FUNCTION public.claimable_interactions(p_limit integer DEFAULT 100)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select coalesce(jsonb_agg(jsonb_build_object(
    'interaction_id', c.id, 'room', c.livekit_room_id, 'generation', c.generation,
    'agent_type', c.interaction_type, 'claim_attempts', c.claim_attempts,
    'waited_seconds', extract(epoch from clock_timestamp() - c.queued_at)) order by c.queued_at), '[]')
  from (
    select i.id, i.livekit_room_id, i.generation, i.interaction_type, i.claim_attempts, i.queued_at
    from interactions i
    where i.status = 'active' and (i.lease_until is null or i.lease_until <= clock_timestamp())
    union all
    select q.id, q.livekit_room_id, q.generation, q.interaction_type, q.claim_attempts, q.queued_at
    from (
      select i.*, row_number() over (partition by i.agent_id order by i.queued_at, i.id) as turn
      from interactions i where i.status = 'queued'
    ) q
    join agents a on a.id = q.agent_id
    where q.turn <= a.max_concurrent_interactions - (
      select count(*) from interactions o where o.agent_id = q.agent_id and o.status = 'active')
    order by queued_at limit p_limit
  ) c
$function$
;

CREATE OR REPLACE FUNCTION public.cleanup_old_archives(retention_days integer DEFAULT 90)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  deleted integer;
begin
  if retention_days is null or retention_days < 0 then
    perform floorwalker.fail('invalid_retention', 'The number of days is zero or more.');
  end if;
  delete from interaction_archives where created_at < clock_timestamp() - make_interval(days => retention_days);
  get diagnostics deleted = row_count;
  return deleted;
end
$function$
;

CREATE OR REPLACE FUNCTION public.cleanup_realtime_metrics()
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  deleted integer;
begin
  delete from realtime_metrics where created_at < clock_timestamp() - interval '24 hours';
  get diagnostics deleted = row_count;
  return deleted;
end
$function$
;

CREATE OR REPLACE FUNCTION public.complete_callback(p_callback_id uuid, p_note text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  wanted callback_requests;
  me users := floorwalker.actor();
begin
  select * into wanted from callback_requests
  where id = p_callback_id and agent_id = any (floorwalker.visible_agents()) for update;
  if not found then
    perform floorwalker.fail('callback_not_found', 'There is no such request.');
  end if;
  if wanted.done_at is not null then
    return to_jsonb(wanted);
  end if;
  update callback_requests set done_at = clock_timestamp(), done_by = me.id, done_by_name = me.name,
    note = nullif(left(btrim(p_note), 2000), '')
  where id = wanted.id returning * into wanted;
  perform floorwalker.audit(wanted.business_id, 'callback.done', 'callback_requests', wanted.id::text,
    jsonb_build_object('interaction_id', wanted.interaction_id));
  return to_jsonb(wanted);
end
$function$
;

CREATE OR REPLACE FUNCTION public.complete_interaction(p_interaction_id uuid, p_generation bigint, p_status text, p_end_reason text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions;
  archive interaction_archives;
begin
  if p_status is null or p_status not in ('completed', 'failed') then
    perform floorwalker.fail('invalid_status', 'An interaction ends "completed" or "failed".');
  end if;
  select * into mine from interactions where id = p_interaction_id for update;
  if found and mine.status in ('completed', 'failed') then
    select * into archive from interaction_archives where interaction_id = mine.id;
    return jsonb_build_object('archive', case when archive.id is not null then to_jsonb(archive) end, 'already', true);
  end if;
  mine := floorwalker.lock_interaction(p_interaction_id, p_generation);
  archive := floorwalker.end_interaction(mine, p_status, p_end_reason);
  return jsonb_build_object('archive', to_jsonb(archive), 'already', false);
end
$function$
;

CREATE OR REPLACE FUNCTION public.create_business(p_business jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  made businesses;
begin
  insert into businesses (name, slug, time_zone, allowed_origins, retention, tag_vocabulary, limits)
  values (p_business ->> 'name', p_business ->> 'slug', coalesce(p_business ->> 'time_zone', 'UTC'),
    coalesce((select array_agg(o) from jsonb_array_elements_text(nullif(p_business -> 'allowed_origins', 'null')) o), '{}'),
    coalesce(nullif(p_business -> 'retention', 'null'), '{}'),
    '{"topics": [], "issues": []}'::jsonb || coalesce(nullif(p_business -> 'tag_vocabulary', 'null'), '{}'),
    coalesce(nullif(p_business -> 'limits', 'null'), '{}'))
  on conflict (slug) do nothing
  returning * into made;
  if made.id is null then
    return (select jsonb_build_object('business_id', id, 'created', false) from businesses where slug = p_business ->> 'slug');
  end if;
  perform floorwalker.audit(made.id, 'business.created', 'businesses', made.id::text, jsonb_build_object('name', made.name));
  return jsonb_build_object('business_id', made.id, 'created', true);
end
$function$
;

CREATE OR REPLACE FUNCTION public.create_interaction(p_request jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  agent agents;
  business businesses;
  created interactions;
  new_id uuid := gen_random_uuid();
  phone text := nullif(p_request ->> 'phone_number', '');
  must_be_public boolean := coalesce((p_request ->> 'require_public')::boolean, true);
begin
  if p_request ->> 'agent_id' ~ '^[0-9a-fA-F-]{36}$' then
    select * into agent from agents where id = (p_request ->> 'agent_id')::uuid and deleted_at is null;
  end if;
  if agent.id is not null then
    select * into business from businesses where id = agent.business_id and deleted_at is null;
  end if;
  if business.id is null then
    perform floorwalker.fail('agent_not_found', 'There is no such agent.');
  end if;
  if must_be_public and not agent.public then
    perform floorwalker.fail('agent_not_public', 'This agent takes no conversations from the public.');
  end if;
  -- A browser names its page's origin; other programs send none and are bound by key and limits alone.
  if must_be_public and p_request ->> 'origin' is not null
    and not (business.allowed_origins && array['*', p_request ->> 'origin']) then
    perform floorwalker.fail('origin_not_allowed', format('Pages of %s may not start conversations here.', p_request ->> 'origin'));
  end if;
  if p_request ->> 'channel' is distinct from agent.agent_type then
    perform floorwalker.fail('channel_mismatch', format('Agent "%s" is a %s agent.', agent.name, agent.agent_type),
      jsonb_build_object('agent_type', agent.agent_type));
  end if;

  perform pg_advisory_xact_lock(hashtextextended('create:' || business.id, 0));

  -- A phone network delivers the same call twice at times.
  if p_request ->> 'provider_call_id' is not null then
    select * into created from interactions where provider_call_id = p_request ->> 'provider_call_id';
    if found then
      return floorwalker.created(created);
    end if;
  end if;

  perform floorwalker.check_limits(business, agent.id, p_request ->> 'address_hash', coalesce(p_request -> 'limits', '{}'));

  insert into interactions (id, business_id, agent_id, customer_id, phone_number, phone_source, interaction_type,
    kind, direction, called_number, provider_call_id, livekit_room_id, resume_token_hash, origin, address_hash)
  values (new_id, business.id, agent.id, floorwalker.link_customer(business.id, phone), phone,
    case when phone is not null then coalesce(p_request ->> 'phone_source', 'claimed') end, agent.agent_type,
    coalesce(p_request ->> 'kind', 'live'), coalesce(p_request ->> 'direction', 'inbound'),
    p_request ->> 'called_number', p_request ->> 'provider_call_id', coalesce(p_request ->> 'room', 'fw-' || new_id),
    p_request ->> 'resume_token_hash', p_request ->> 'origin', p_request ->> 'address_hash')
  returning * into created;
  return floorwalker.created(created);
end
$function$
;

CREATE OR REPLACE FUNCTION public.create_interactions(p_requests jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  request jsonb;
  nth bigint;
  answers jsonb := '{}';
  code text;
  sentence text;
  facts text;
begin
  -- By business: two of these with the same businesses take their locks in the same order.
  for request, nth in
    select r.value, r.ordinality from jsonb_array_elements(p_requests) with ordinality r
      left join agents a on a.id = case when r.value ->> 'agent_id' ~ '^[0-9a-fA-F-]{36}$' then (r.value ->> 'agent_id')::uuid end
    order by a.business_id, r.ordinality
  loop
    -- What is wrong with one is nothing to the others.
    begin
      answers := answers || jsonb_build_object(nth, jsonb_build_object('created', public.create_interaction(request)));
    exception
      -- Of these the whole is sent again.
      when serialization_failure or deadlock_detected then raise;
      when others then
        get stacked diagnostics code = returned_sqlstate, sentence = message_text, facts = pg_exception_detail;
        answers := answers || jsonb_build_object(nth,
          jsonb_build_object('code', code, 'message', sentence, 'details', nullif(facts, '')));
    end;
  end loop;
  return (select coalesce(jsonb_agg(value order by key::bigint), '[]') from jsonb_each(answers));
end
$function$
;

CREATE OR REPLACE FUNCTION public.crm_add_note(p_business_id uuid, p_phone text, p_body text, p_key text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  customer customers;
  note crm_notes;
begin
  perform floorwalker.check_tool_business(p_business_id);
  customer := floorwalker.crm_ensure_customer(p_business_id, p_phone);
  insert into crm_notes (business_id, customer_id, body, idempotency_key) values (p_business_id, customer.id, p_body, p_key)
  on conflict (business_id, idempotency_key) do nothing;
  select * into note from crm_notes where business_id = p_business_id and idempotency_key = p_key;
  return case when note.customer_id = customer.id and note.body = p_body
    then jsonb_build_object('outcome', 'done', 'created_at', note.created_at) else jsonb_build_object('outcome', 'key_reused') end;
end
$function$
;

CREATE OR REPLACE FUNCTION public.crm_at_risk(p_business_id uuid, p_renewal_days integer, p_limit integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  today date := (select clock_timestamp() at time zone time_zone from businesses where id = p_business_id);
begin
  perform floorwalker.check_tool_business(p_business_id);
  return (select coalesce(jsonb_agg(floorwalker.crm_view(f.customer)
      || jsonb_build_object('overall', f.overall, 'signals', floorwalker.crm_open_signals((f.customer).id)) order by f.overall nulls last), '[]')
    from (
      select c as customer, (select overall from crm_health_scores s where s.customer_id = c.id order by calculated_at desc limit 1) as overall
      from customers c left join crm_profiles p on p.customer_id = c.id
      where c.business_id = p_business_id and coalesce(p.status, 'active') <> 'churned'
        and case when p_renewal_days is null then floorwalker.crm_standing(c.id) = 'at_risk'
          else p.renewal_date between today and today + p_renewal_days end
      order by 2 nulls last limit least(greatest(p_limit, 1), 50)) f);
end
$function$
;

CREATE OR REPLACE FUNCTION public.crm_find(p_business_id uuid, p_phone text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  customer customers;
begin
  perform floorwalker.check_tool_business(p_business_id);
  customer := floorwalker.crm_customer(p_business_id, p_phone);
  return case when customer.id is null then jsonb_build_object('outcome', 'not_found')
    else jsonb_build_object('outcome', 'found', 'customer', floorwalker.crm_view(customer)) end;
end
$function$
;

CREATE OR REPLACE FUNCTION public.crm_health(p_business_id uuid, p_phone text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  customer customers;
begin
  perform floorwalker.check_tool_business(p_business_id);
  customer := floorwalker.crm_customer(p_business_id, p_phone);
  if customer.id is null then
    return jsonb_build_object('outcome', 'not_found');
  end if;
  return jsonb_build_object('outcome', 'found', 'standing', floorwalker.crm_standing(customer.id),
    'scores', coalesce((select jsonb_agg(jsonb_build_object('overall', s.overall, 'product', s.product, 'risk', s.risk,
        'outcomes', s.outcomes, 'voice', s.voice, 'engagement', s.engagement, 'calculated_at', s.calculated_at) order by s.calculated_at desc)
      from (select * from crm_health_scores where customer_id = customer.id order by calculated_at desc limit 6) s), '[]'),
    'signals', floorwalker.crm_open_signals(customer.id));
end
$function$
;

CREATE OR REPLACE FUNCTION public.crm_list_notes(p_business_id uuid, p_phone text, p_limit integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  perform floorwalker.check_tool_business(p_business_id);
  return (select coalesce(jsonb_agg(jsonb_build_object('body', n.body, 'author', n.author, 'created_at', n.created_at)
      order by n.created_at desc), '[]')
    from (select * from crm_notes where customer_id = (floorwalker.crm_customer(p_business_id, p_phone)).id
      order by created_at desc limit least(greatest(p_limit, 1), 50)) n);
end
$function$
;

CREATE OR REPLACE FUNCTION public.crm_record_health(p_business_id uuid, p_phone text, p_scores jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  customer customers;
begin
  perform floorwalker.check_tool_business(p_business_id);
  customer := floorwalker.crm_customer(p_business_id, p_phone);
  if customer.id is null then
    return jsonb_build_object('outcome', 'not_found');
  end if;
  insert into crm_health_scores (business_id, customer_id, overall, product, risk, outcomes, voice, engagement)
  values (p_business_id, customer.id, (p_scores ->> 'overall')::integer, (p_scores ->> 'product')::integer, (p_scores ->> 'risk')::integer,
    (p_scores ->> 'outcomes')::integer, (p_scores ->> 'voice')::integer, (p_scores ->> 'engagement')::integer);
  return public.crm_health(p_business_id, p_phone);
end
$function$
;

CREATE OR REPLACE FUNCTION public.crm_report_signal(p_business_id uuid, p_phone text, p_signal text, p_severity text, p_description text, p_key text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  customer customers;
  made crm_risk_signals;
begin
  perform floorwalker.check_tool_business(p_business_id);
  customer := floorwalker.crm_ensure_customer(p_business_id, p_phone);
  insert into crm_risk_signals (business_id, customer_id, signal, severity, description, idempotency_key)
  values (p_business_id, customer.id, p_signal, p_severity, p_description, p_key)
  on conflict (business_id, idempotency_key) do nothing;
  select * into made from crm_risk_signals where business_id = p_business_id and idempotency_key = p_key;
  if made.customer_id <> customer.id or made.signal <> p_signal or made.description <> p_description then
    return jsonb_build_object('outcome', 'key_reused');
  end if;
  return jsonb_build_object('outcome', 'done', 'signals', floorwalker.crm_open_signals(customer.id));
end
$function$
;

CREATE OR REPLACE FUNCTION public.crm_resolve_signal(p_business_id uuid, p_signal_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  perform floorwalker.check_tool_business(p_business_id);
  update crm_risk_signals set resolved_at = coalesce(resolved_at, clock_timestamp()) where business_id = p_business_id and id = p_signal_id;
  return jsonb_build_object('outcome', case when found then 'done' else 'not_found' end);
end
$function$
;

CREATE OR REPLACE FUNCTION public.crm_search(p_business_id uuid, p_query text, p_limit integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  perform floorwalker.check_tool_business(p_business_id);
  return (select coalesce(jsonb_agg(floorwalker.crm_view(f)), '[]') from (
    select c.* from customers c left join crm_profiles p on p.customer_id = c.id
    where c.business_id = p_business_id and (position(lower(p_query) in lower(c.name)) > 0
      or position(lower(p_query) in lower(p.company)) > 0 or position(p_query in c.phone_number) > 0)
    order by c.name nulls last, c.phone_number limit least(greatest(p_limit, 1), 50)) f);
end
$function$
;

CREATE OR REPLACE FUNCTION public.deactivate_person(p_user_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  me users := floorwalker.require_admin_alone();
  subject users := floorwalker.person_for_admin(me, p_user_id);
  held jsonb;
begin
  if subject.id = me.id then
    perform floorwalker.fail('not_allowed', 'Ask another admin to remove you.');
  end if;
  select jsonb_agg(id) into held from interactions where controlled_by = subject.id and status = 'active';
  if held is not null then
    perform floorwalker.fail('person_in_control', format('%s is speaking with a customer right now.', subject.name),
      jsonb_build_object('interaction_ids', held));
  end if;
  update users set deleted_at = clock_timestamp() where id = subject.id;
  return jsonb_build_object('id', subject.id);
end
$function$
;

CREATE OR REPLACE FUNCTION public.decide_permission(p_permission_id uuid, p_decision text, p_note text DEFAULT NULL::text, p_arguments jsonb DEFAULT NULL::jsonb, p_arguments_hash text DEFAULT NULL::text, p_scope jsonb DEFAULT NULL::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  permission tool_permissions;
  mine interactions;
  outcome text;
  effective jsonb;
  scoped boolean := p_scope is not null and p_scope <> 'null';
  edited boolean := p_decision = 'allowed' and p_arguments is not null and p_arguments <> 'null';
begin
  if p_decision is null or p_decision not in ('allowed', 'denied') then
    perform floorwalker.fail('invalid_decision', 'A decision is "allowed" or "denied".');
  end if;
  if edited and (p_arguments_hash is null or jsonb_typeof(p_arguments) <> 'object') then
    perform floorwalker.fail('invalid_decision', 'Edited arguments are an object and come with their hash.');
  end if;

  if scoped and p_decision <> 'allowed' then
    perform floorwalker.fail('invalid_decision', 'Only what is allowed can be allowed for the interaction.');
  end if;

  select i.* into mine from tool_permissions p join interactions i on i.id = p.interaction_id where p.id = p_permission_id;
  -- Someone who may not even see it is not told that it exists; another supervisor of the business is.
  if not found or mine.business_id is distinct from (floorwalker.actor()).business_id then
    perform floorwalker.fail('permission_not_found', 'There is no such permission request.');
  end if;
  if not floorwalker.reaches_agent(mine.agent_id) then
    perform floorwalker.fail('not_allowed_to_decide',
      'Only the agent''s supervisor, its cover or an admin of the business can decide this.');
  end if;

  perform 1 from interactions where id = mine.id for update;
  select * into permission from tool_permissions where id = p_permission_id for update;
  outcome := case when permission.status = 'pending' and permission.expires_at <= clock_timestamp() then 'timeout'
    else permission.status end;
  if outcome <> 'pending' then
    perform floorwalker.fail('permission_already_decided', format('This request is already settled: %s.', outcome),
      jsonb_build_object('status', outcome, 'decided_by', permission.decided_by,
        'decided_by_name', (select name from users where id = permission.decided_by),
        'responded_at', coalesce(permission.responded_at, permission.expires_at)));
  end if;

  effective := case when edited then p_arguments else permission.arguments end;
  if scoped then
    perform floorwalker.check_scope(p_scope, effective);
  end if;
  update tool_permissions set
    status = p_decision, supervisor_response = p_decision, responded_at = clock_timestamp(), decided_by = auth.uid(),
    note = left(p_note, 2000), scope = case when scoped then p_scope end,
    edited_arguments = case when edited and p_arguments_hash <> arguments_hash then p_arguments end,
    edited_hash = case when edited and p_arguments_hash <> arguments_hash then p_arguments_hash end
  where id = permission.id returning * into permission;
  if scoped then
    insert into tool_grants (interaction_id, permission_id, tool_name, definition_hash, arguments, argument_range, granted_by)
    select mine.id, permission.id, permission.tool_name, coalesce(c.definition_hash, ''), effective,
      coalesce(p_scope -> 'arguments', '{}'), auth.uid()
    from tool_calls c where c.id = permission.tool_call_id;
  end if;
  perform floorwalker.audit(mine.business_id, 'permission.decided', 'tool_permissions', permission.id::text,
    jsonb_build_object('interaction_id', mine.id, 'tool_name', permission.tool_name, 'decision', p_decision,
      'arguments_hash', permission.arguments_hash, 'edited_hash', permission.edited_hash, 'scope', permission.scope));
  return jsonb_build_object('permission', to_jsonb(permission)
    || jsonb_build_object('decided_by_name', (select name from users where id = permission.decided_by)));
end
$function$
;

CREATE OR REPLACE FUNCTION public.delete_customer(p_subject jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  actor users := floorwalker.actor();
begin
  if actor.id is null or actor.role <> 'admin' then
    perform floorwalker.fail('not_allowed', 'Only an admin of the business may delete a customer''s data.');
  end if;
  return floorwalker.delete_subject(actor.business_id, p_subject, actor.id, actor.name);
end
$function$
;

CREATE OR REPLACE FUNCTION public.delete_customer_as_operator(p_subject jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  business businesses := floorwalker.find_business(p_subject);
begin
  return floorwalker.delete_subject(business.id, p_subject - 'business_slug' - 'business_id', null, 'operator');
end
$function$
;

CREATE OR REPLACE FUNCTION public.edit_agent(p_agent_id uuid, p_version integer, p_definition jsonb, p_note text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine agents := floorwalker.agent_for_actor(p_agent_id);
  written agents;
begin
  perform floorwalker.refuse_other_version(mine, p_version);
  perform floorwalker.check_tool_changes(mine.id, p_definition -> 'tools', (floorwalker.actor()).role = 'admin');
  written := floorwalker.write_definition(mine, p_definition,
    jsonb_build_object('source', 'console', 'note', left(p_note, 500)));
  return jsonb_build_object('version', written.version, 'changed', written.version <> mine.version);
end
$function$
;

CREATE OR REPLACE FUNCTION public.elect(p_role text, p_candidate text, p_lease_seconds numeric)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  seat floorwalker.elections;
  lease interval := make_interval(secs => p_lease_seconds::double precision);
  moment timestamptz;
begin
  insert into floorwalker.elections (role, holder, term, lease_until)
  values (p_role, p_candidate, 1, clock_timestamp() + lease) on conflict (role) do nothing;
  -- Waits for a batch of the present term that is being done (see require_term), so that none is done beside another.
  select * into seat from floorwalker.elections where role = p_role for update;
  moment := clock_timestamp();
  if seat.lease_until > moment and seat.holder = p_candidate then
    update floorwalker.elections set lease_until = moment + lease where role = p_role returning * into seat;
  elsif seat.lease_until <= moment then
    update floorwalker.elections set holder = p_candidate, term = term + 1, lease_until = moment + lease, elected_at = moment
    where role = p_role returning * into seat;
  end if;
  return jsonb_build_object('elected', seat.holder = p_candidate, 'holder', seat.holder, 'term', seat.term,
    'lease_until', seat.lease_until);
end
$function$
;

CREATE OR REPLACE FUNCTION public.escalate_requests(p_after_seconds numeric)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  before timestamptz := clock_timestamp() - make_interval(secs => p_after_seconds::double precision);
  escalated jsonb;
begin
  with permissions as (
    update tool_permissions set escalated_at = clock_timestamp()
    where id in (select id from tool_permissions
      where status = 'pending' and escalated_at is null and requested_at <= before for update skip locked)
    returning id, interaction_id
  ), requests as (
    update interactions set supervisor_request_escalated_at = clock_timestamp()
    where id in (select id from interactions
      where status = 'active' and control = 'agent' and supervisor_requested_at <= before
        and supervisor_request_escalated_at is null and supervisor_request_answered_at is null
      for update skip locked)
    returning id
  )
  select coalesce(jsonb_agg(e), '[]') into escalated from (
    select jsonb_build_object('interaction_id', interaction_id, 'permission_id', id) as e from permissions
    union all select jsonb_build_object('interaction_id', id, 'permission_id', null) from requests
  ) all_requests;
  perform floorwalker.trace((e ->> 'interaction_id')::uuid, 'escalated', jsonb_build_object('permission_id', e -> 'permission_id'), null)
  from jsonb_array_elements(escalated) e;
  return escalated;
end
$function$
;

CREATE OR REPLACE FUNCTION public.expire_permissions()
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  due record;
  expired integer := 0;
  changed integer;
begin
  if not exists (select from tool_permissions where status = 'pending' and expires_at <= clock_timestamp()) then
    return 0;
  end if;
  for due in
    select i.id from interactions i
    where exists (select from tool_permissions p where p.interaction_id = i.id and p.status = 'pending' and p.expires_at <= clock_timestamp())
    order by i.agent_id, i.id for update skip locked
  loop
    update tool_permissions set status = 'timeout', supervisor_response = 'timeout', responded_at = clock_timestamp()
    where interaction_id = due.id and status = 'pending' and expires_at <= clock_timestamp();
    get diagnostics changed = row_count;
    expired := expired + changed;
  end loop;
  return expired;
end
$function$
;

CREATE OR REPLACE FUNCTION public.export_archive(p_interaction_id uuid, p_format text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  me constant users := floorwalker.require_actor();
  content constant jsonb := floorwalker.replay(p_interaction_id);
begin
  perform floorwalker.audit(me.business_id, 'archive.exported', 'interactions', p_interaction_id::text,
    jsonb_build_object('format', p_format));
  return content;
end
$function$
;

CREATE OR REPLACE FUNCTION public.finish_tool_call(p_interaction_id uuid, p_generation bigint, p_call_id text, p_state text, p_output text DEFAULT NULL::text, p_error jsonb DEFAULT NULL::jsonb, p_duration_ms integer DEFAULT NULL::integer, p_refusal_reason text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions := floorwalker.lock_interaction(p_interaction_id, p_generation);
  call tool_calls;
begin
  select * into call from tool_calls where interaction_id = mine.id and call_id = p_call_id for update;
  if not found then
    perform floorwalker.fail('tool_call_not_found', 'There is no such tool call.');
  end if;
  if call.state in ('succeeded', 'failed', 'refused', 'unknown') then
    return jsonb_build_object('call', floorwalker.call_row(call), 'already', true);
  end if;
  if p_state = 'succeeded' and call.state <> 'running' then
    perform floorwalker.fail('tool_call_not_started', 'A call that never started can have no result.');
  end if;

  update tool_permissions set status = 'withdrawn', responded_at = clock_timestamp()
  where id = call.permission_id and status = 'pending' and expires_at > clock_timestamp();
  update tool_permissions set status = 'timeout', supervisor_response = 'timeout', responded_at = clock_timestamp()
  where id = call.permission_id and status = 'pending';
  update tool_calls set state = p_state, output = p_output, error = p_error, duration_ms = p_duration_ms,
    refusal_reason = case when p_state = 'refused' then coalesce(p_refusal_reason, 'policy') end,
    finished_at = clock_timestamp()
  where id = call.id returning * into call;
  return jsonb_build_object('call', floorwalker.call_row(call), 'already', false);
end
$function$
;

CREATE OR REPLACE FUNCTION public.fold_figures(p_limit integer DEFAULT 1000)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  days integer;
begin
  -- Two at once would each wait for rows that the other takes away.
  if not pg_try_advisory_xact_lock(hashtextextended('fold_figures', 0)) then
    return 0;
  end if;
  with due as materialized (
    select distinct agent_id, day from floorwalker.agent_days where not folded limit p_limit
  ), taken as (
    delete from floorwalker.agent_days d using due where d.agent_id = due.agent_id and d.day = due.day returning d.*
  ), kept as (
    insert into floorwalker.agent_days (agent_id, day, calls, seconds, archives, first_contact, rated, csat, folded)
    select agent_id, day, sum(calls), sum(seconds), sum(archives), sum(first_contact), sum(rated), sum(csat), true
    from taken group by agent_id, day
    having (sum(calls), sum(archives)) <> (0, 0)
  )
  select count(*) into days from due;
  return days;
end
$function$
;

CREATE OR REPLACE FUNCTION public.fold_tracks(p_limit integer DEFAULT 50)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  moment constant timestamptz := clock_timestamp();
  due record;
  changed integer := 0;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('fold_tracks', 0)) then
    return 0;
  end if;
  delete from floorwalker.tracks t
  where not exists (select from interactions i where i.id = t.interaction_id and i.status in ('queued', 'active'));
  for due in
    select i.id, t.since, t.until, t.times, t.scores, t.sentiments
    from interactions i left join floorwalker.tracks t on t.interaction_id = i.id
    where i.status in ('queued', 'active') and i.kind = 'live' and i.started_at < moment - interval '2 minutes'
      and coalesce(t.folded_at, '-infinity') < moment - interval '1 minute'
      and exists (select from realtime_metrics m where m.interaction_id = i.id
        and m."timestamp" > coalesce(t.until, '-infinity') and m."timestamp" <= moment - interval '1 minute')
    order by t.folded_at nulls first limit p_limit
  loop
    with fresh as materialized (
      select m."timestamp" as at, m.satisfaction_score as score, m.sentiment from realtime_metrics m
      where m.interaction_id = due.id and m."timestamp" > coalesce(due.until, '-infinity')
        and m."timestamp" <= moment - interval '1 minute'
      order by m."timestamp" limit 2000
    ), span as (
      select coalesce(due.since, min(at)) as since, max(at) as until from fresh
    ), extent as materialized (
      select since, until,
        5 * power(2, greatest(0, ceil(log(2, greatest(1, extract(epoch from until - since)) / 225)))) as stretch_seconds
      from span
    ), pieces as (
      select * from fresh
      union all
      select to_timestamp(t.at::double precision), (due.scores ->> (t.nth - 1)::integer)::numeric,
        due.sentiments ->> (t.nth - 1)::integer
      from jsonb_array_elements_text(due.times) with ordinality t (at, nth)
    ), points as (
      select round(extract(epoch from max(p.at)), 3) as at, min(p.score) as score,
        case when bool_or(p.sentiment = 'critical') then 'critical' when bool_or(p.sentiment = 'neutral') then 'neutral'
          else 'good' end as sentiment
      from pieces p cross join extent e
      group by floor(greatest(0, extract(epoch from p.at - e.since)) / e.stretch_seconds)
    )
    insert into floorwalker.tracks as mine (interaction_id, since, until, times, scores, sentiments, folded_at)
    select due.id, e.since, e.until, drawn.times, drawn.scores, drawn.sentiments, moment
    from extent e cross join (
      select jsonb_agg(at order by at) as times, jsonb_agg(score order by at) as scores,
        jsonb_agg(sentiment order by at) as sentiments from points) drawn
    on conflict (interaction_id) do update set until = excluded.until, times = excluded.times, scores = excluded.scores,
      sentiments = excluded.sentiments, folded_at = excluded.folded_at;
    changed := changed + 1;
  end loop;
  return changed;
end
$function$
;

CREATE OR REPLACE FUNCTION public.hand_back(p_interaction_id uuid, p_note text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions := floorwalker.active_interaction_for_actor(p_interaction_id);
  me users := floorwalker.actor();
  held_since timestamptz := mine.control_changed_at;
  told text := case when coalesce(btrim(p_note), '') <> '' then floorwalker.check_whisper(p_note) end;
begin
  if mine.controlled_by is distinct from me.id then
    perform floorwalker.fail('control_not_held', 'Only who has a conversation can hand it back.',
      jsonb_build_object('controlled_by', mine.controlled_by, 'controlled_by_name', mine.controlled_by_name));
  end if;
  if told is not null then
    insert into whispers (interaction_id, kind, content, by_id, by_name) values (mine.id, 'hand_back', told, me.id, me.name);
  end if;
  update interactions set control = 'agent' where id = mine.id returning * into mine;
  perform floorwalker.trace(mine.id, 'hand_back', jsonb_build_object('note', told),
    jsonb_build_object('by', me.id, 'by_name', me.name, 'since', held_since));
  perform floorwalker.audit(mine.business_id, 'interaction.handback', 'interactions', mine.id::text,
    jsonb_build_object('with_note', told is not null, 'since', held_since));
  return floorwalker.public_row(mine);
end
$function$
;

CREATE OR REPLACE FUNCTION public.heartbeat(p_worker_id text, p_leases jsonb, p_lease_seconds numeric)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  renewed uuid[];
begin
  -- Locks in one order for all who take several, or two batches could wait for each other.
  perform 1 from interactions i join floorwalker.read_leases(p_leases) l on l.interaction_id = i.id
  order by i.agent_id, i.id for no key update of i;

  with held as (
    update interactions i
    set lease_until = clock_timestamp() + make_interval(secs => p_lease_seconds::double precision)
    from floorwalker.read_leases(p_leases) l
    where i.id = l.interaction_id and i.generation = l.generation and i.worker_id = p_worker_id and i.status = 'active'
    returning i.id
  )
  select coalesce(array_agg(id), '{}') into renewed from held;

  return coalesce((
    select jsonb_agg(jsonb_build_object('interaction_id', l.interaction_id, 'held', l.interaction_id = any (renewed)) order by l.place)
    from floorwalker.read_leases(p_leases) l), '[]');
end
$function$
;

CREATE OR REPLACE FUNCTION public.interaction_tracks(p_interaction_id uuid, p_points integer)
 RETURNS json
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
 SET jit TO 'off'
AS $function$
  with seen as materialized (
    -- Two questions, so that each has its index.
    select i.id, t.until, t.times, t.scores, t.sentiments
    from interactions i left join floorwalker.tracks t on t.interaction_id = i.id and p_points >= 60
    where p_interaction_id is null and i.status in ('queued', 'active') and i.kind = 'live'
      and i.agent_id = any ((select floorwalker.visible_agents())::uuid[])
    union all
    select i.id, null, null, null, null from interactions i
    where i.id = p_interaction_id and i.agent_id = any ((select floorwalker.visible_agents())::uuid[])
  ), placed as (
    select m.interaction_id, m."timestamp", m.sentiment, m.satisfaction_score,
      ntile(least(greatest(p_points - coalesce(jsonb_array_length(seen.times), 0), 1), 2000))
        over (partition by m.interaction_id order by m."timestamp") as bucket
    -- Conversation by conversation, each from its place in the index: a day and more of them, so that none is left out.
    from seen cross join lateral (
      select r.interaction_id, r."timestamp", r.sentiment, r.satisfaction_score from realtime_metrics r
      where r.interaction_id = seen.id and r."timestamp" > coalesce(seen.until, '-infinity')
      order by r."timestamp" limit 20000) m
  ), points as (
    -- Of several measurements the worst is shown: a short crisis must not vanish from a long call's plot.
    select interaction_id, round(extract(epoch from max("timestamp")), 3) as at,
      min(satisfaction_score) as score,
      case when bool_or(sentiment = 'critical') then 'critical' when bool_or(sentiment = 'neutral') then 'neutral'
        else 'good' end as sentiment
    from placed group by interaction_id, bucket
  ), tracks as (
    select interaction_id, jsonb_agg(at order by at) as times, jsonb_agg(score order by at) as scores,
      jsonb_agg(sentiment order by at) as sentiments
    from points group by interaction_id
  )
  select coalesce(json_agg(json_build_object(
    'interaction_id', seen.id,
    'times', coalesce(seen.times, '[]') || coalesce(t.times, '[]'),
    'scores', coalesce(seen.scores, '[]') || coalesce(t.scores, '[]'),
    'sentiments', coalesce(seen.sentiments, '[]') || coalesce(t.sentiments, '[]'),
    'sentiment', newest.sentiment, 'satisfaction_score', newest.satisfaction_score, 'feed_text', newest.feed_text,
    'last_role', said.role, 'last_spoken_at', said.at)), '[]')
  from seen
  left join tracks t on t.interaction_id = seen.id
  left join lateral (
    select m.sentiment, m.satisfaction_score, m.feed_text from realtime_metrics m
    where m.interaction_id = seen.id order by m."timestamp" desc limit 1
  ) newest on true
  left join lateral (
    select m.role, coalesce(m.spoken_at, m.created_at) as at from interaction_messages m
    where m.interaction_id = seen.id and m.role <> 'system' order by m.seq desc limit 1
  ) said on true
$function$
;

CREATE OR REPLACE FUNCTION public.keep_claims(p_worker_id text, p_claims jsonb, p_lease_seconds numeric)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  kept jsonb;
begin
  perform 1 from interactions i join floorwalker.read_leases(p_claims) l on l.interaction_id = i.id
  order by i.agent_id, i.id for no key update of i;

  with renewed as (
    update interactions i
    set lease_until = clock_timestamp() + make_interval(secs => p_lease_seconds::double precision)
    from floorwalker.read_leases(p_claims) l
    where i.id = l.interaction_id and i.generation = l.generation and i.worker_id = p_worker_id
      and i.status = 'active' and i.loaded_generation < i.generation
    returning i.id
  )
  select coalesce(jsonb_agg(id), '[]') into kept from renewed;
  return kept;
end
$function$
;

CREATE OR REPLACE FUNCTION public.knowledge_add_chunks(p_business_id uuid, p_document_id uuid, p_attempt integer, p_language text, p_model text, p_chunks jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  place text := floorwalker.vector_schema();
begin
  perform floorwalker.check_tool_business(p_business_id);
  perform 1 from knowledge_documents where business_id = p_business_id and id = p_document_id and attempt = p_attempt
    and status = 'processing' for update;
  if not found then
    return jsonb_build_object('outcome', 'superseded');
  end if;
  insert into knowledge_chunks (business_id, document_id, attempt, position, heading, page, body, words)
  select p_business_id, p_document_id, p_attempt, (c ->> 'position')::integer, c ->> 'heading', (c ->> 'page')::integer, c ->> 'body',
    setweight(to_tsvector(p_language::regconfig, coalesce(c ->> 'heading', '')), 'A')
      || setweight(to_tsvector(p_language::regconfig, c ->> 'body'), 'B')
  from jsonb_array_elements(p_chunks) c;
  if place is not null and p_model is not null then
    execute format('insert into floorwalker.knowledge_vectors (chunk_id, business_id, model, embedding)
      select k.id, $1, $2, (c ->> ''embedding'')::%I.vector
      from jsonb_array_elements($3) c join public.knowledge_chunks k on k.document_id = $4 and k.attempt = $5
        and k.position = (c ->> ''position'')::integer
      where c ->> ''embedding'' is not null', place) using p_business_id, p_model, p_chunks, p_document_id, p_attempt;
  end if;
  return jsonb_build_object('outcome', 'added');
end
$function$
;

CREATE OR REPLACE FUNCTION public.knowledge_begin(p_business_id uuid, p_document_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  now_at integer;
begin
  perform floorwalker.check_tool_business(p_business_id);
  update knowledge_documents set status = 'processing', error = null, attempt = attempt + 1
  where business_id = p_business_id and id = p_document_id returning attempt into now_at;
  return jsonb_build_object('attempt', now_at);
end
$function$
;

CREATE OR REPLACE FUNCTION public.knowledge_enable_vectors()
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  place text;
begin
  perform pg_advisory_xact_lock(hashtextextended('knowledge_enable_vectors', 0));
  if to_regclass('floorwalker.knowledge_vectors') is not null then
    return jsonb_build_object('vectors', true);
  elsif not exists (select from pg_available_extensions where name = 'vector') then
    return jsonb_build_object('vectors', false, 'reason', 'pgvector is not installed where the database runs');
  end if;
  begin
    if not exists (select from pg_extension where extname = 'vector') then
      create schema if not exists extensions;
      create extension vector schema extensions;
    end if;
  exception when insufficient_privilege then
    return jsonb_build_object('vectors', false, 'reason', 'an owner of the database has to run once: create extension vector');
  end;
  select n.nspname into place from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector';
  execute format('create table floorwalker.knowledge_vectors (
    chunk_id bigint primary key references public.knowledge_chunks (id) on delete cascade,
    business_id uuid not null, model text not null, embedding %I.vector not null)', place);
  create index idx_knowledge_vectors_business on floorwalker.knowledge_vectors (business_id, model);
  alter table floorwalker.knowledge_vectors enable row level security;
  revoke all on floorwalker.knowledge_vectors from public, anon, authenticated, service_role;
  return jsonb_build_object('vectors', true);
end
$function$
;

CREATE OR REPLACE FUNCTION public.knowledge_finish(p_business_id uuid, p_document_id uuid, p_attempt integer, p_title text, p_error text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  document knowledge_documents;
begin
  perform floorwalker.check_tool_business(p_business_id);
  select * into document from knowledge_documents where business_id = p_business_id and id = p_document_id and attempt = p_attempt
    and status = 'processing' for update;
  if not found then
    return jsonb_build_object('outcome', 'superseded');
  end if;
  if p_error is not null then
    update knowledge_documents set status = 'failed', error = left(p_error, 1000) where id = document.id;
    delete from knowledge_chunks where document_id = document.id and attempt is distinct from document.live_attempt;
    return jsonb_build_object('outcome', 'failed');
  end if;
  delete from knowledge_chunks where document_id = document.id and attempt <> p_attempt;
  update knowledge_documents set status = 'ready', live_attempt = p_attempt, indexed_at = clock_timestamp(),
    title = coalesce(p_title, title), chunk_count = (select count(*) from knowledge_chunks where document_id = document.id)
  where id = document.id returning * into document;
  return jsonb_build_object('outcome', 'ready', 'chunks', document.chunk_count);
end
$function$
;

CREATE OR REPLACE FUNCTION public.knowledge_list(p_business_id uuid, p_status text, p_limit integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  perform floorwalker.check_tool_business(p_business_id);
  return (select coalesce(jsonb_agg(to_jsonb(d) order by d.source), '[]') from (
    select * from (select id, source, title, mime_type, byte_size, chunk_count as chunks, indexed_at,
        case when stopped then 'failed' else status end as status,
        case when stopped then 'The program that read it was stopped. Read it again.' else error end as error
      from knowledge_documents, lateral (select status = 'processing' and updated_at < clock_timestamp() - interval '15 minutes' as stopped) s
      where business_id = p_business_id) v
    where p_status is null or status = p_status order by source limit least(greatest(p_limit, 1), 500)) d);
end
$function$
;

CREATE OR REPLACE FUNCTION public.knowledge_read(p_business_id uuid, p_document_id uuid, p_from integer, p_count integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  document knowledge_documents;
begin
  perform floorwalker.check_tool_business(p_business_id);
  select * into document from knowledge_documents where business_id = p_business_id and id = p_document_id and live_attempt is not null;
  if not found then
    return jsonb_build_object('outcome', 'not_found');
  end if;
  return jsonb_build_object('outcome', 'found', 'document', document.title, 'source', document.source, 'chunks', document.chunk_count,
    'parts', (select coalesce(jsonb_agg(jsonb_build_object('position', c.position, 'heading', c.heading, 'page', c.page, 'text', c.body)
        order by c.position), '[]')
      from knowledge_chunks c where c.document_id = document.id and c.attempt = document.live_attempt
        and c.position between p_from and p_from + least(greatest(p_count, 1), 10) - 1));
end
$function$
;

CREATE OR REPLACE FUNCTION public.knowledge_register(p_business_id uuid, p_document jsonb, p_force boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  document knowledge_documents;
begin
  perform floorwalker.check_tool_business(p_business_id);
  select * into document from knowledge_documents where business_id = p_business_id and source = p_document ->> 'source' for update;
  if document.status = 'ready' and document.checksum = p_document ->> 'checksum' and not p_force then
    return jsonb_build_object('outcome', 'unchanged', 'id', document.id, 'chunks', document.chunk_count);
  end if;
  insert into knowledge_documents (business_id, source, title, mime_type, byte_size, checksum)
  values (p_business_id, p_document ->> 'source', p_document ->> 'title', p_document ->> 'mime_type',
    (p_document ->> 'byte_size')::bigint, p_document ->> 'checksum')
  on conflict (business_id, source) do update set status = 'pending', error = null, title = excluded.title,
    mime_type = excluded.mime_type, byte_size = excluded.byte_size, checksum = excluded.checksum
  returning * into document;
  return jsonb_build_object('outcome', 'pending', 'id', document.id, 'chunks', document.chunk_count);
end
$function$
;

CREATE OR REPLACE FUNCTION public.knowledge_remove(p_business_id uuid, p_source text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  perform floorwalker.check_tool_business(p_business_id);
  delete from knowledge_documents where business_id = p_business_id and source = p_source;
  return jsonb_build_object('outcome', case when found then 'removed' else 'not_found' end);
end
$function$
;

CREATE OR REPLACE FUNCTION public.knowledge_search(p_business_id uuid, p_query text, p_language text, p_embedding text, p_model text, p_document_id uuid, p_limit integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  place text := floorwalker.vector_schema();
  -- Any of the words: a question has many that no answer has.
  wanted tsquery := replace(plainto_tsquery(p_language::regconfig, p_query)::text, ' & ', ' | ')::tsquery;
  near bigint[] := '{}';
begin
  perform floorwalker.check_tool_business(p_business_id);
  if place is not null and p_embedding is not null then
    execute format('select coalesce(array_agg(chunk_id order by distance), ''{}'') from (
        select v.chunk_id, v.embedding operator(%1$I.<=>) $1::%1$I.vector as distance
        from floorwalker.knowledge_vectors v join public.knowledge_chunks c on c.id = v.chunk_id
        join public.knowledge_documents d on d.id = c.document_id and d.live_attempt = c.attempt
        where v.business_id = $2 and v.model = $3 and ($4 is null or d.id = $4) order by distance limit 40) n', place)
      into near using p_embedding, p_business_id, p_model, p_document_id;
  end if;
  return jsonb_build_object('by', case when near = '{}' then 'words' else 'words and meaning' end, 'results', (
    with by_words as (
      select c.id, row_number() over (order by ts_rank(c.words, wanted, 1) desc, c.id) as rank
      from knowledge_chunks c join knowledge_documents d on d.id = c.document_id and d.live_attempt = c.attempt
      where c.business_id = p_business_id and c.words @@ wanted and (p_document_id is null or d.id = p_document_id)
      order by rank limit 40),
    by_meaning as (select id, rank from unnest(near) with ordinality as n (id, rank)),
    best as (
      select id, sum(1.0 / (60 + rank)) as score, bool_or(kind = 'words') as words, bool_or(kind = 'meaning') as meaning
      from (select id, rank, 'words' as kind from by_words union all select id, rank, 'meaning' from by_meaning) found
      group by id order by score desc, id limit least(greatest(p_limit, 1), 20))
    select coalesce(jsonb_agg(jsonb_build_object('text', c.body, 'document', d.title, 'source', d.source, 'document_id', d.id,
        'position', c.position, 'heading', c.heading, 'page', c.page,
        'found_by', case when best.words and best.meaning then 'both' when best.words then 'words' else 'meaning' end)
      order by best.score desc, c.id), '[]')
    from best join knowledge_chunks c on c.id = best.id join knowledge_documents d on d.id = c.document_id));
end
$function$
;

CREATE OR REPLACE FUNCTION public.leaderboard(p_period text DEFAULT 'month'::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  me users := floorwalker.require_actor();
begin
  return coalesce((
    select jsonb_agg(jsonb_build_object('rank', b.place, 'username', b.username, 'name', b.name,
      'supervisor_type', b.supervisor_type, 'score', b.score, 'is_me', b.id = me.id) order by b.supervisor_type, b.place, b.username)
    from (
      select u.id, u.username, u.name, s.supervisor_type, s.score,
        rank() over (partition by s.supervisor_type order by s.score desc) as place
      from floorwalker.scores(me.business_id, p_period) s join users u on u.id = s.supervisor_id
      where me.role = 'admin' or s.supervisor_type = me.supervisor_type
    ) b), '[]');
end
$function$
;

CREATE OR REPLACE FUNCTION public.leave_interaction(p_interaction_id uuid, p_resume_token_hash text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions := floorwalker.interaction_of_token(p_interaction_id, p_resume_token_hash);
begin
  if mine.status in ('queued', 'active') then
    update interactions set end_requested_at = coalesce(end_requested_at, clock_timestamp()),
      end_requested_reason = coalesce(end_requested_reason, 'customer_ended')
    where id = mine.id returning * into mine;
    if mine.status = 'queued' then
      perform floorwalker.end_interaction(mine, 'failed', mine.end_requested_reason);
    end if;
  end if;
  return (select jsonb_build_object('interaction_id', id, 'status', status, 'room', livekit_room_id,
    'generation', generation) from interactions where id = mine.id);
end
$function$
;

CREATE OR REPLACE FUNCTION public.load_agent_tools(p_interaction_id uuid, p_generation bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions;
begin
  select * into mine from interactions
  where id = p_interaction_id and generation = p_generation and status = 'active';
  if not found then
    perform floorwalker.fail('stale_generation', 'Another worker holds this interaction now, or it has ended.');
  end if;
  return coalesce((select jsonb_agg(to_jsonb(t) order by t.tool_name)
    from agent_tools t where t.agent_id = mine.agent_id), '[]');
end
$function$
;

CREATE OR REPLACE FUNCTION public.load_session(p_interaction_id uuid, p_generation bigint, p_lease_seconds numeric DEFAULT 8)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions;
begin
  update interactions set
    loaded_generation = generation,
    lease_until = clock_timestamp() + make_interval(secs => p_lease_seconds::double precision)
  where id = p_interaction_id and generation = p_generation and status = 'active'
  returning * into mine;
  if not found then
    perform floorwalker.fail('stale_generation', 'Another worker holds this interaction now, or it has ended.');
  end if;
  return jsonb_build_object(
    'now', clock_timestamp(),
    'interaction', floorwalker.public_row(mine),
    'handed_over', mine.generation > 1 and mine.handed_over_generation = mine.generation - 1,
    'business', (select to_jsonb(b) from businesses b where b.id = mine.business_id),
    'customer', (select to_jsonb(c) from customers c where c.id = mine.customer_id),
    'snapshot', mine.agent_snapshot,
    'tools', coalesce((select jsonb_agg(to_jsonb(t) order by t.tool_name)
      from agent_tools t where t.agent_id = mine.agent_id), '[]'),
    'messages', coalesce((select jsonb_agg(to_jsonb(m) order by m.seq)
      from interaction_messages m where m.interaction_id = mine.id), '[]'),
    'whispers', coalesce((select jsonb_agg(floorwalker.whisper_row(w) order by w.created_at, w.id)
      from whispers w where w.interaction_id = mine.id), '[]'),
    'calls', coalesce((select jsonb_agg(to_jsonb(c) order by c.requested_at, c.id)
      from tool_calls c where c.interaction_id = mine.id), '[]'));
end
$function$
;

CREATE OR REPLACE FUNCTION public.load_tool_tokens(p_business_id uuid, p_server_key text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select jsonb_build_object('sealed', sealed, 'version', version)
  from tool_tokens where business_id = p_business_id and server_key = p_server_key
$function$
;

CREATE OR REPLACE FUNCTION public.look_through_archives(p_filter jsonb, p_after_time timestamp with time zone DEFAULT NULL::timestamp with time zone, p_after_id uuid DEFAULT NULL::uuid, p_limit integer DEFAULT 50, p_patience_ms integer DEFAULT 50, p_days integer DEFAULT NULL::integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select jsonb_build_object('archives', floorwalker.found_archives(p_filter, l.ids),
    'reached', case when l.reached_time is not null then
      jsonb_build_object('time', l.reached_time, 'id', l.reached_id, 'days', l.next_days) end)
  from floorwalker.look_for_archives(p_filter, p_after_time, p_after_id, greatest(1, least(p_limit, 501)),
    greatest(0, least(p_patience_ms, 5000)) * interval '1 millisecond',
    case when isfinite(p_after_time) and p_days > 0 then least(p_days, 10000) end) l
$function$
;

CREATE OR REPLACE FUNCTION public.monitor_interaction(p_interaction_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions := floorwalker.active_interaction_for_actor(p_interaction_id);
begin
  perform floorwalker.audit(mine.business_id, 'interaction.monitor', 'interactions', mine.id::text);
  return floorwalker.public_row(mine);
end
$function$
;

CREATE OR REPLACE FUNCTION public.people_out_of_sight()
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select coalesce(jsonb_agg(jsonb_build_object('room', i.livekit_room_id, 'user_id', seen.actor_id)), '[]')
  from interactions i
  cross join lateral (
    select distinct e.actor_id from audit_events e
    where e.subject_type = 'interactions' and e.subject_id = i.id::text and e.actor_id is not null
      and e.action in ('interaction.monitor', 'interaction.takeover')) seen
  where i.status = 'active' and not i.agent_id = any (floorwalker.visible_agents_of(seen.actor_id))
    and not exists (select from users u where u.id = seen.actor_id and u.id = i.controlled_by and u.deleted_at is null)
$function$
;

CREATE OR REPLACE FUNCTION public.performance(p_period text DEFAULT 'month'::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  me users := floorwalker.require_actor();
begin
  return coalesce((
    select jsonb_agg(jsonb_build_object(
      'supervisor_id', u.id, 'name', u.name, 'username', u.username, 'supervisor_type', u.supervisor_type,
      'score', s.score, 'total_calls', s.calls, 'avg_csat', s.csat, 'avg_handle_time', s.handle_time,
      'fcr_percentage', s.fcr) order by s.score desc, u.username)
    from floorwalker.scores(me.business_id, p_period) s join users u on u.id = s.supervisor_id
    where me.role = 'admin' or u.id = me.id), '[]');
end
$function$
;

CREATE OR REPLACE FUNCTION public.performance_by_agent(p_period text DEFAULT 'month'::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  me users := floorwalker.require_actor();
  start_at timestamptz := floorwalker.period_start(p_period, (select time_zone from businesses where id = me.business_id));
begin
  return coalesce((
    select jsonb_agg(jsonb_build_object('agent_id', a.id, 'agent_name', a.name, 'agent_type', a.agent_type,
      'supervisor_id', a.supervisor_id, 'total_interactions', s.calls, 'avg_csat', round(s.csat / nullif(s.rated, 0), 2),
      'avg_handle_time', round(s.seconds::numeric / nullif(s.calls, 0), 2),
      'fcr_percentage', round(s.first_contact::numeric / nullif(s.archives, 0) * 100, 2)) order by a.name, a.id)
    from floorwalker.agent_sums(me.business_id, start_at, floorwalker.visible_agents()) s
    join agents a on a.id = s.agent_id and a.deleted_at is null), '[]');
end
$function$
;

CREATE OR REPLACE FUNCTION public.performance_series(p_days integer DEFAULT 30, p_agent_id uuid DEFAULT NULL::uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  me users := floorwalker.require_actor();
  today date := floorwalker.day_of(me.business_id, now());
  of_agents uuid[];
begin
  if p_days is null or p_days not between 1 and 366 then
    perform floorwalker.fail('unknown_period', 'Ask for 1 to 366 days.');
  end if;
  if p_agent_id is not null then
    of_agents := array[p_agent_id];
    if not p_agent_id = any (floorwalker.visible_agents()) then
      perform floorwalker.fail('agent_not_found', 'There is no such agent.');
    end if;
  elsif me.role <> 'admin' then
    select coalesce(array_agg(id), '{}') into of_agents from agents where supervisor_id = me.id;
  else
    select coalesce(array_agg(id), '{}') into of_agents from agents where business_id = me.business_id;
  end if;

  return (
    select jsonb_agg(jsonb_build_object('day', today - n, 'interactions', coalesce(s.total, 0),
      'avg_csat', round(s.csat / nullif(s.rated, 0), 2),
      'fcr_percentage', round(s.first_contact::numeric / nullif(s.total, 0) * 100, 2)) order by n desc)
    from generate_series(0, p_days - 1) n
    left join (
      select d.day, sum(d.archives)::bigint as total, sum(d.rated) as rated, sum(d.csat) as csat,
        sum(d.first_contact)::bigint as first_contact
      from floorwalker.agent_days d where d.agent_id = any (of_agents) and d.day > today - p_days
      group by d.day) s on s.day = today - n);
end
$function$
;

CREATE OR REPLACE FUNCTION public.poll_sessions(p_leases jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  moment timestamptz;
begin
  perform public.expire_permissions();
  moment := clock_timestamp();
  return coalesce((
    select jsonb_agg(jsonb_build_object(
      'interaction_id', l.interaction_id,
      'held', coalesce(i.generation = l.generation and i.status = 'active', false),
      'status', coalesce(i.status, 'failed'),
      'control', coalesce(i.control, 'agent'),
      'controlled_by', i.controlled_by,
      'controlled_by_name', i.controlled_by_name,
      'whispers', coalesce((select jsonb_agg(floorwalker.whisper_row(w) order by w.created_at, w.id)
        from whispers w where w.interaction_id = i.id and w.delivered_at is null), '[]'),
      'paused', coalesce(i.paused, false),
      'end_requested_reason', case when i.end_requested_at is not null then coalesce(i.end_requested_reason, 'ended_by_supervisor') end,
      'tools_version', (select md5(coalesce(string_agg(t.id || '@' || t.updated_at, ',' order by t.id), ''))
        from agent_tools t where t.agent_id = i.agent_id),
      'permissions', coalesce((
        select jsonb_agg(jsonb_build_object(
          'id', p.id, 'call_id', p.call_id,
          -- A busy row may have been skipped above; by the clock it has timed out all the same.
          'status', case when p.status = 'pending' and p.expires_at <= moment then 'timeout' else p.status end,
          'note', p.note, 'edited_arguments', p.edited_arguments, 'edited_hash', p.edited_hash,
          'decided_by_name', u.name, 'expires_at', p.expires_at) order by p.requested_at, p.id)
        from tool_permissions p
        join tool_calls c on c.id = p.tool_call_id
        left join users u on u.id = p.decided_by
        where p.interaction_id = i.id and c.state in ('requested', 'awaiting_permission', 'running')), '[]'),
      'resolutions', coalesce((
        select jsonb_agg(jsonb_build_object(
          'call_id', c.call_id, 'tool_name', c.tool_name, 'arguments', c.arguments, 'resolution', c.resolution,
          'note', c.resolution_note, 'resolved_by_name', u.name) order by c.resolved_at, c.id)
        from tool_calls c left join users u on u.id = c.resolved_by
        where c.interaction_id = i.id and c.resolution is not null), '[]')
    ) order by l.place)
    from floorwalker.read_leases(p_leases) l
    left join interactions i on i.id = l.interaction_id), '[]');
end
$function$
;

CREATE OR REPLACE FUNCTION public.rate_interaction(p_interaction_id uuid, p_resume_token_hash text, p_score integer, p_comment text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  found_row interactions := floorwalker.interaction_of_token(p_interaction_id, p_resume_token_hash);
begin
  if p_score is null or p_score not between 1 and 5 then
    perform floorwalker.fail('invalid_rating', 'A rating is a whole number from 1 to 5.');
  end if;
  update interactions set rating = p_score, rating_comment = left(p_comment, 2000) where id = found_row.id;
  update interaction_archives set csat_score = (p_score - 1) * 25, csat_source = 'customer'
  where interaction_id = found_row.id;
  return jsonb_build_object('interaction_id', found_row.id, 'score', p_score);
end
$function$
;

CREATE OR REPLACE FUNCTION public.read_changes(p_epoch text DEFAULT NULL::text, p_from text DEFAULT NULL::text, p_to text DEFAULT NULL::text, p_after_id bigint DEFAULT 0, p_limit integer DEFAULT 500)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  log floorwalker.change_log;
  window_start pg_snapshot;
  window_end pg_snapshot := coalesce(p_to::pg_snapshot, pg_current_snapshot());
  found_rows jsonb;
  has_more boolean;
begin
  select * into log from floorwalker.change_log;
  if not found then
    insert into floorwalker.change_log default values on conflict do nothing;
    select * into log from floorwalker.change_log;
  end if;
  window_start := coalesce(p_from::pg_snapshot, window_end);
  if coalesce(p_epoch, log.epoch) <> log.epoch or not floorwalker.snapshot_covers(window_start, log.horizon)
    or pg_snapshot_xmax(window_start) > pg_snapshot_xmax(pg_current_snapshot()) then
    return jsonb_build_object('epoch', log.epoch, 'intact', false, 'from', window_start::text, 'to', window_end::text,
      'more', false, 'now', clock_timestamp(), 'changes', '[]'::jsonb);
  end if;

  select coalesce(jsonb_agg(to_jsonb(page) - 'place' order by page.id) filter (where page.place <= p_limit), '[]'),
    count(*) > p_limit
  into found_rows, has_more
  from (
    select c.id, c.xid::text as xid, c.kind, c.interaction_id, coalesce(c.agent_id, i.agent_id) as agent_id, c.subject,
      c.payload, c.created_at, row_number() over (order by c.id) as place
    from floorwalker.changes c
    left join interactions i on i.id = c.interaction_id
    where (c.xid >= pg_snapshot_xmax(window_start)
        or c.xid = any (array(select running.xid from pg_snapshot_xip(window_start) as running (xid))))
      and pg_visible_in_snapshot(c.xid, window_end)
      and c.id > p_after_id
      and (i.id is null or i.kind = 'live')
    order by c.id
    limit p_limit + 1
  ) page;
  return jsonb_build_object('epoch', log.epoch, 'intact', true, 'from', window_start::text, 'to', window_end::text,
    'more', has_more, 'now', clock_timestamp(), 'changes', found_rows);
end
$function$
;

CREATE OR REPLACE FUNCTION public.reap_unjoined(p_after_seconds numeric, p_present uuid[] DEFAULT '{}'::uuid[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  abandoned interactions;
  reaped jsonb := '[]';
begin
  for abandoned in
    select * from interactions i
    where not (i.id = any (p_present)) and (
      (i.status = 'queued' and i.queued_at < clock_timestamp() - make_interval(secs => p_after_seconds::double precision))
      or (i.status = 'active' and i.lease_until < clock_timestamp() - interval '30 minutes'))
    order by i.agent_id, i.id limit 100 for update skip locked
  loop
    perform floorwalker.end_interaction(abandoned, 'failed',
      case when abandoned.status = 'queued' then 'nobody_joined' else 'worker_lost' end);
    reaped := reaped || to_jsonb(abandoned.id);
  end loop;
  return reaped;
end
$function$
;

CREATE OR REPLACE FUNCTION public.record_left_metrics(p_rows jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  added integer;
begin
  -- Against a completion that runs at the same moment and removes the rows of its interaction.
  perform 1 from interactions i
  join (select distinct (r ->> 'interaction_id')::uuid as id from jsonb_array_elements(p_rows) r) b on b.id = i.id
  order by i.agent_id, i.id for share of i;

  insert into realtime_metrics (interaction_id, "timestamp", sentiment, satisfaction_score, feed_text)
  select i.id, (r ->> 'timestamp')::timestamptz, r ->> 'sentiment', (r ->> 'satisfaction_score')::numeric,
    left(coalesce(r ->> 'feed_text', ''), 120)
  from jsonb_array_elements(p_rows) r
  join interactions i on i.id = (r ->> 'interaction_id')::uuid
    and i.generation >= (r ->> 'generation')::bigint and i.status = 'active'
  on conflict (interaction_id, "timestamp") do nothing;
  get diagnostics added = row_count;
  return jsonb_build_object('stored', added);
end
$function$
;

CREATE OR REPLACE FUNCTION public.record_metrics(p_rows jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  fitting integer;
begin
  -- Against a completion that runs at the same moment and removes the rows of its interaction.
  perform 1 from interactions i
  join (select distinct (r ->> 'interaction_id')::uuid as id from jsonb_array_elements(p_rows) r) b on b.id = i.id
  order by i.agent_id, i.id for key share of i;

  select count(*) into fitting
  from jsonb_array_elements(p_rows) r
  join interactions i on i.id = (r ->> 'interaction_id')::uuid
    and i.generation = (r ->> 'generation')::bigint and i.status = 'active';

  insert into realtime_metrics (interaction_id, "timestamp", sentiment, satisfaction_score, feed_text)
  select i.id, (r ->> 'timestamp')::timestamptz, r ->> 'sentiment', (r ->> 'satisfaction_score')::numeric,
    left(coalesce(r ->> 'feed_text', ''), 120)
  from jsonb_array_elements(p_rows) r
  join interactions i on i.id = (r ->> 'interaction_id')::uuid
    and i.generation = (r ->> 'generation')::bigint and i.status = 'active'
  on conflict (interaction_id, "timestamp") do nothing;

  return jsonb_build_object('stored', fitting, 'refused', jsonb_array_length(p_rows) - fitting);
end
$function$
;

CREATE OR REPLACE FUNCTION public.register_user(p_user jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  business businesses := floorwalker.find_business(p_user);
  existing users;
  auth_id uuid := (p_user ->> 'id')::uuid;
begin
  if not exists (select from auth.users where id = auth_id) then
    perform floorwalker.fail('user_not_found', 'Supabase Auth has no user with this id; invite the person first.');
  end if;
  select * into existing from users where id = auth_id;
  if existing.id is not null and existing.business_id <> business.id then
    perform floorwalker.fail('user_of_another_business', 'This person already belongs to another business.');
  end if;
  if exists (select from users where business_id = business.id and username = p_user ->> 'username' and id <> auth_id) then
    perform floorwalker.fail('username_taken', format('The username "%s" is taken in this business.', p_user ->> 'username'));
  end if;

  insert into users (id, business_id, email, role, name, username, supervisor_type)
  values (auth_id, business.id, p_user ->> 'email', p_user ->> 'role', p_user ->> 'name',
    p_user ->> 'username', p_user ->> 'supervisor_type')
  on conflict (id) do update set email = excluded.email, role = excluded.role, name = excluded.name,
    username = excluded.username, supervisor_type = excluded.supervisor_type, deleted_at = null;
  return jsonb_build_object('user_id', auth_id, 'business_id', business.id, 'created', existing.id is null);
end
$function$
;

CREATE OR REPLACE FUNCTION public.release_control(p_interaction_id uuid, p_generation bigint, p_reason text, p_controlled_by uuid DEFAULT NULL::uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions := floorwalker.lock_interaction(p_interaction_id, p_generation);
begin
  -- Somebody else may have taken it since the session looked.
  if mine.status <> 'active' or mine.control = 'agent' or mine.controlled_by is distinct from coalesce(p_controlled_by, mine.controlled_by) then
    return jsonb_build_object('released', false, 'control', mine.control, 'controlled_by', mine.controlled_by);
  end if;
  update interactions set control = 'agent' where id = mine.id;
  perform floorwalker.trace(mine.id, 'control_released', jsonb_build_object('reason', p_reason),
    jsonb_build_object('by', mine.controlled_by, 'by_name', mine.controlled_by_name, 'since', mine.control_changed_at));
  perform floorwalker.audit(mine.business_id, 'interaction.control_released', 'interactions', mine.id::text,
    jsonb_build_object('reason', p_reason, 'controlled_by', mine.controlled_by, 'since', mine.control_changed_at));
  return jsonb_build_object('released', true, 'control', 'agent', 'controlled_by', null);
end
$function$
;

CREATE OR REPLACE FUNCTION public.release_lease(p_interaction_id uuid, p_generation bigint, p_handed_over boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  update interactions set
    worker_id = null,
    lease_until = clock_timestamp(),
    handed_over_generation = case when p_handed_over then generation else handed_over_generation end
  where id = p_interaction_id and generation = p_generation and status = 'active';
  return jsonb_build_object('released', found);
end
$function$
;

CREATE OR REPLACE FUNCTION public.release_worker(p_worker_id text, p_stalled_by uuid DEFAULT NULL::uuid)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  released integer;
begin
  perform 1 from interactions where (worker_id = p_worker_id or id = p_stalled_by) and status = 'active'
  order by agent_id, id for no key update;
  -- Also when somebody has taken it over meanwhile: that one will stand still too.
  update interactions set stalls = stalls + 1 where id = p_stalled_by and status = 'active';
  update interactions set worker_id = null, lease_until = clock_timestamp()
  where worker_id = p_worker_id and status = 'active';
  get diagnostics released = row_count;
  return released;
end
$function$
;

CREATE OR REPLACE FUNCTION public.request_callback(p_interaction_id uuid, p_generation bigint, p_reason text, p_phone_number text DEFAULT NULL::text, p_preferred_time text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions := floorwalker.lock_interaction(p_interaction_id, p_generation);
  number text := coalesce(nullif(btrim(p_phone_number), ''), mine.phone_number);
  wanted callback_requests;
begin
  if mine.status <> 'active' then
    perform floorwalker.fail('interaction_ended', 'This interaction has ended.');
  end if;
  if number is null then
    perform floorwalker.fail('phone_number_needed', 'A call back needs a phone number, and none is known.');
  end if;
  if number !~ '^\+[1-9][0-9]{6,14}$' then
    perform floorwalker.fail('invalid_phone_number', 'Write the number in international form, such as +31201234567.');
  end if;
  if mine.phone_number is null then
    perform public.set_phone_number(mine.id, mine.generation, number, 'claimed');
  end if;
  insert into callback_requests (business_id, agent_id, interaction_id, kind, phone_number, reason, preferred_time)
  values (mine.business_id, mine.agent_id, mine.id, mine.kind, number,
    coalesce(nullif(left(btrim(p_reason), 1000), ''), 'not said'), nullif(left(btrim(p_preferred_time), 200), ''))
  on conflict (interaction_id) where done_at is null do update set
    phone_number = excluded.phone_number, reason = excluded.reason,
    preferred_time = coalesce(excluded.preferred_time, callback_requests.preferred_time)
  returning * into wanted;
  perform floorwalker.trace(mine.id, 'callback', jsonb_build_object('reason', wanted.reason, 'preferred_time', wanted.preferred_time),
    jsonb_build_object('callback_id', wanted.id));
  return to_jsonb(wanted);
end
$function$
;

CREATE OR REPLACE FUNCTION public.request_end(p_interaction_id uuid, p_reason text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions := floorwalker.interaction_for_actor(p_interaction_id);
  reason text := coalesce(left(nullif(btrim(p_reason), ''), 200), 'ended_by_supervisor');
begin
  if mine.status in ('completed', 'failed') then
    perform floorwalker.fail('interaction_ended', 'This interaction has ended already.',
      jsonb_build_object('status', mine.status));
  end if;
  update interactions set end_requested_at = coalesce(end_requested_at, clock_timestamp()),
    end_requested_reason = coalesce(end_requested_reason, reason)
  where id = mine.id returning * into mine;
  perform floorwalker.audit(mine.business_id, 'interaction.end_requested', 'interactions', mine.id::text,
    jsonb_build_object('reason', reason));
  if mine.status = 'queued' then
    perform floorwalker.end_interaction(mine, 'failed', reason);
  end if;
  return (select jsonb_build_object('interaction_id', id, 'status', status, 'room', livekit_room_id,
    'end_requested_at', end_requested_at) from interactions where id = mine.id);
end
$function$
;

CREATE OR REPLACE FUNCTION public.request_supervisor(p_interaction_id uuid, p_generation bigint, p_reason text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions := floorwalker.lock_interaction(p_interaction_id, p_generation);
  -- After a takeover a new request is one of its own.
  anew boolean := mine.supervisor_request_answered_at is not null;
begin
  if mine.status <> 'active' then
    perform floorwalker.fail('interaction_ended', 'This interaction has ended.');
  end if;
  update interactions set
    supervisor_requested_at = case when anew then clock_timestamp() else coalesce(supervisor_requested_at, clock_timestamp()) end,
    supervisor_request_escalated_at = case when not anew then supervisor_request_escalated_at end,
    supervisor_request_answered_at = null,
    supervisor_request_reason = left(p_reason, 1000)
  where id = mine.id;
  return jsonb_build_object('supervisor_present', floorwalker.somebody_present(mine.agent_id));
end
$function$
;

CREATE OR REPLACE FUNCTION public.request_tool_call(p_call jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions := floorwalker.lock_interaction((p_call ->> 'interaction_id')::uuid, (p_call ->> 'generation')::bigint);
  call tool_calls;
  permission tool_permissions;
  gated boolean;
  refused text := p_call ->> 'refused_reason';
  row_name text := coalesce(p_call ->> 'row_name', p_call ->> 'tool_name');
  wanted jsonb := coalesce(p_call -> 'arguments', '{}');
  rules jsonb;
  said jsonb;
  granted tool_grants;
begin
  select * into call from tool_calls where interaction_id = mine.id and call_id = p_call ->> 'call_id';
  if found then
    select * into permission from tool_permissions where id = call.permission_id;
    return jsonb_build_object('call', to_jsonb(call), 'existing', true,
      'permission', case when permission.id is not null then to_jsonb(permission) end);
  end if;
  if mine.status <> 'active' then
    perform floorwalker.fail('interaction_ended', 'This interaction has ended; no tool starts any more.');
  end if;

  rules := floorwalker.rules_of(mine, row_name);
  if refused is null then
    said := floorwalker.tool_policy(rules, mine, p_call ->> 'tool_name', p_call ->> 'call_id', wanted);
  end if;
  if said ->> 'effect' = 'forbid' then
    refused := 'policy';
  end if;
  -- The agent's row can close a gate that the session thinks open, never the other way round; a rule that allows opens
  -- the row's gate, and not one that stands because nobody has seen the tool yet.
  gated := refused is null and case said ->> 'effect'
    when 'ask' then true
    when 'allow' then coalesce((p_call ->> 'must_ask')::boolean, false)
    else coalesce((p_call ->> 'requires_permission')::boolean, true) or exists (
      select from agent_tools t where t.agent_id = mine.agent_id and t.tool_name in (row_name, p_call ->> 'tool_name')
        and t.requires_permission)
    end;
  -- What a person allowed for this interaction needs no second question, unless a sum is what asks it.
  if gated and not coalesce((said ->> 'sums')::boolean, false) then
    select * into granted from tool_grants g
    where g.interaction_id = mine.id and g.tool_name = p_call ->> 'tool_name' and not floorwalker.grant_revoked(g.id)
      and floorwalker.grant_covers(g, p_call ->> 'definition_hash', wanted)
    order by g.created_at limit 1;
    gated := granted.id is null;
  end if;

  insert into tool_calls (interaction_id, call_id, tool_name, arguments, arguments_hash, definition_hash,
    requires_permission, state, refusal_reason, idempotency_key, generation, finished_at, row_name, policy, grant_id)
  values (mine.id, p_call ->> 'call_id', p_call ->> 'tool_name', wanted,
    p_call ->> 'arguments_hash', p_call ->> 'definition_hash', gated,
    case when refused is not null then 'refused' when gated then 'awaiting_permission' else 'requested' end,
    refused, p_call ->> 'idempotency_key', mine.generation, case when refused is not null then clock_timestamp() end,
    nullif(row_name, p_call ->> 'tool_name'), said - 'sums', granted.id)
  returning * into call;

  if gated then
    insert into tool_permissions (interaction_id, tool_call_id, call_id, tool_name, tool_description, arguments,
      arguments_hash, expires_at)
    values (mine.id, call.id, call.call_id, call.tool_name, p_call ->> 'tool_description', call.arguments,
      call.arguments_hash, clock_timestamp() + make_interval(secs => (p_call ->> 'permission_timeout_seconds')::double precision))
    returning * into permission;
    update tool_calls set permission_id = permission.id where id = call.id returning * into call;
  end if;
  return jsonb_build_object('call', to_jsonb(call), 'existing', false,
    'permission', case when permission.id is not null then to_jsonb(permission) end);
end
$function$
;

CREATE OR REPLACE FUNCTION public.resign(p_role text, p_candidate text, p_term bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  update floorwalker.elections set lease_until = clock_timestamp()
  where role = p_role and holder = p_candidate and term = p_term;
  return jsonb_build_object('resigned', found);
end
$function$
;

CREATE OR REPLACE FUNCTION public.resolve_tool_call(p_tool_call_id uuid, p_resolution text, p_note text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions;
  call tool_calls;
begin
  if p_resolution is null or p_resolution not in ('happened', 'did_not_happen', 'run_again') then
    perform floorwalker.fail('invalid_resolution', 'The answer is "happened", "did_not_happen" or "run_again".');
  end if;
  select i.* into mine from tool_calls c join interactions i on i.id = c.interaction_id
  where c.id = p_tool_call_id and i.agent_id = any (floorwalker.visible_agents()) for update of i;
  if not found then
    perform floorwalker.fail('tool_call_not_found', 'There is no such tool call.');
  end if;
  select * into call from tool_calls where id = p_tool_call_id for update;
  if call.state <> 'unknown' then
    perform floorwalker.fail('tool_call_not_unknown', format('The outcome of this call is known: %s.', call.state),
      jsonb_build_object('state', call.state));
  end if;
  if call.resolution is not null then
    perform floorwalker.fail('tool_call_already_resolved', format('This question was answered already: %s.', call.resolution),
      jsonb_build_object('resolution', call.resolution, 'resolved_by', call.resolved_by,
        'resolved_by_name', (select name from users where id = call.resolved_by), 'resolved_at', call.resolved_at));
  end if;
  if p_resolution = 'run_again' and mine.status <> 'active' then
    perform floorwalker.fail('interaction_not_active', 'A call can be run again only while its conversation goes on.',
      jsonb_build_object('status', mine.status));
  end if;

  update tool_calls set resolution = p_resolution, resolution_note = left(p_note, 2000),
    resolved_by = auth.uid(), resolved_at = clock_timestamp()
  where id = call.id returning * into call;
  perform floorwalker.audit(mine.business_id, 'tool_call.resolved', 'tool_calls', call.id::text,
    jsonb_build_object('interaction_id', mine.id, 'tool_name', call.tool_name, 'resolution', p_resolution));
  return to_jsonb(call);
end
$function$
;

CREATE OR REPLACE FUNCTION public.resume_interaction(p_interaction_id uuid, p_resume_token_hash text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  found_row interactions := floorwalker.interaction_of_token(p_interaction_id, p_resume_token_hash);
begin
  return jsonb_build_object('interaction_id', found_row.id, 'room', found_row.livekit_room_id,
    'status', found_row.status, 'agent_type', found_row.interaction_type,
    'position', floorwalker.queue_position(found_row));
end
$function$
;

CREATE OR REPLACE FUNCTION public.retention_progress()
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select jsonb_build_object('interactions', coalesce(sum(interactions), 0), 'transcripts', coalesce(sum(transcripts), 0),
    'metrics', coalesce(sum(metrics), 0), 'customers', coalesce(sum(customers), 0))
  from floorwalker.retention_progress
$function$
;

CREATE OR REPLACE FUNCTION public.revoke_grant(p_permission_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  permission tool_permissions;
  mine interactions;
begin
  select i.* into mine from tool_permissions p join interactions i on i.id = p.interaction_id where p.id = p_permission_id;
  if not found or mine.business_id is distinct from (floorwalker.actor()).business_id then
    perform floorwalker.fail('permission_not_found', 'There is no such permission request.');
  end if;
  if not floorwalker.reaches_agent(mine.agent_id) then
    perform floorwalker.fail('not_allowed_to_decide',
      'Only the agent''s supervisor, its cover or an admin of the business can decide this.');
  end if;
  -- Under the lock that requests and starts of calls take: whatever comes later finds it taken back.
  perform 1 from interactions where id = mine.id for update;
  select * into permission from tool_permissions where id = p_permission_id for update;
  if permission.scope is null then
    perform floorwalker.fail('grant_not_found', 'This decision allowed one call only.');
  end if;
  -- Taking back twice is one wish; the first who did it stands.
  if permission.scope_revoked_at is null then
    update tool_permissions set scope_revoked_at = clock_timestamp(), scope_revoked_by = auth.uid()
    where id = permission.id returning * into permission;
    perform floorwalker.audit(mine.business_id, 'permission.revoked', 'tool_permissions', permission.id::text,
      jsonb_build_object('interaction_id', mine.id, 'tool_name', permission.tool_name, 'scope', permission.scope));
  end if;
  return jsonb_build_object('permission', to_jsonb(permission)
    || jsonb_build_object('decided_by_name', (select name from users where id = permission.decided_by)));
end
$function$
;

CREATE OR REPLACE FUNCTION public.roll_back_agent(p_agent_id uuid, p_version integer, p_expected_version integer DEFAULT NULL::integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine agents := floorwalker.agent_for_actor(p_agent_id);
  wanted jsonb;
  written agents;
begin
  if p_expected_version is not null then
    perform floorwalker.refuse_other_version(mine, p_expected_version);
  end if;
  select definition into wanted from agent_versions where agent_id = mine.id and version = p_version;
  if wanted is null then
    perform floorwalker.fail('version_not_found', format('The agent has no version %s.', p_version));
  end if;
  if wanted ->> 'agent_type' <> mine.agent_type then
    perform floorwalker.fail('channel_mismatch', format('Version %s spoke on another channel.', p_version));
  end if;
  perform floorwalker.check_tool_changes(mine.id, wanted -> 'tools', (floorwalker.actor()).role = 'admin');
  written := floorwalker.write_definition(mine, wanted,
    jsonb_build_object('source', 'rollback', 'restored_version', p_version));
  return jsonb_build_object('version', written.version, 'changed', written.version <> mine.version);
end
$function$
;

CREATE OR REPLACE FUNCTION public.save_tool_tokens(p_business_id uuid, p_server_key text, p_sealed text, p_version bigint)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  saved bigint;
begin
  if p_version = 0 then
    insert into tool_tokens (business_id, server_key, sealed) values (p_business_id, p_server_key, p_sealed)
    on conflict do nothing returning version into saved;
  else
    update tool_tokens set sealed = p_sealed, version = version + 1, updated_at = clock_timestamp()
    where business_id = p_business_id and server_key = p_server_key and version = p_version
    returning version into saved;
  end if;
  return saved;
end
$function$
;

CREATE OR REPLACE FUNCTION public.schema_version()
 RETURNS integer
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select coalesce(max(version), 0) from floorwalker.migrations
$function$
;

CREATE OR REPLACE FUNCTION public.search_archives(p_filter jsonb, p_after_time timestamp with time zone DEFAULT NULL::timestamp with time zone, p_after_id uuid DEFAULT NULL::uuid, p_limit integer DEFAULT 50)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select floorwalker.found_archives(p_filter, l.ids)
  from floorwalker.look_for_archives(p_filter, p_after_time, p_after_id, greatest(1, least(p_limit, 501))) l
$function$
;

CREATE OR REPLACE FUNCTION public.set_disposition(p_interaction_id uuid, p_disposition text, p_notes text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions := floorwalker.interaction_for_actor(p_interaction_id);
begin
  if length(p_disposition) > 100 or length(p_notes) > 10000 then
    perform floorwalker.fail('invalid_disposition', 'A disposition has at most 100 characters, its notes 10,000.');
  end if;
  update interactions set disposition = p_disposition, supervisor_notes = coalesce(p_notes, supervisor_notes)
  where id = mine.id returning * into mine;
  perform floorwalker.audit(mine.business_id, 'interaction.disposition', 'interactions', mine.id::text,
    jsonb_build_object('disposition', p_disposition));
  return jsonb_build_object('interaction_id', mine.id, 'disposition', mine.disposition, 'supervisor_notes', mine.supervisor_notes);
end
$function$
;

CREATE OR REPLACE FUNCTION public.set_phone_number(p_interaction_id uuid, p_generation bigint, p_phone text, p_source text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions := floorwalker.lock_interaction(p_interaction_id, p_generation);
  customer uuid;
begin
  if mine.status <> 'active' then
    perform floorwalker.fail('interaction_ended', 'This interaction has ended.');
  end if;
  customer := floorwalker.link_customer(mine.business_id, p_phone);
  if p_source = 'claimed' and mine.phone_source in ('sip', 'verified') and mine.phone_number <> p_phone then
    return jsonb_build_object('stored', false, 'reason', 'trusted_number_kept', 'phone_number', mine.phone_number,
      'phone_source', mine.phone_source, 'customer_id', mine.customer_id);
  end if;
  update interactions set phone_number = p_phone, customer_id = customer,
    phone_source = case when p_source = 'claimed' and phone_number = p_phone then coalesce(phone_source, p_source) else p_source end
  where id = mine.id returning * into mine;
  return jsonb_build_object('stored', true, 'phone_number', mine.phone_number, 'phone_source', mine.phone_source,
    'customer_id', mine.customer_id);
end
$function$
;

CREATE OR REPLACE FUNCTION public.shop_cancel_order(p_business_id uuid, p_phone text, p_order_number integer, p_reason text, p_idempotency_key text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  of_order shop_orders;
  left_cents bigint;
begin
  perform floorwalker.check_tool_business(p_business_id);
  select * into of_order from shop_orders
  where business_id = p_business_id and customer_phone = p_phone and order_number = p_order_number for update;
  if not found then
    return jsonb_build_object('outcome', 'not_found');
  elsif of_order.status = 'cancelled' then
    return jsonb_build_object('outcome', 'cancelled', 'repeated', true, 'order', floorwalker.shop_order_view(of_order));
  elsif of_order.status <> 'processing' then
    return jsonb_build_object('outcome', 'too_late', 'order', floorwalker.shop_order_view(of_order));
  end if;
  left_cents := floorwalker.shop_paid_cents(of_order.id) - floorwalker.shop_refunded_cents(of_order.id);
  update shop_orders set status = 'cancelled', cancelled_at = clock_timestamp() where id = of_order.id returning * into of_order;
  if left_cents > 0 then
    insert into shop_refunds (business_id, order_id, amount_cents, reason, idempotency_key)
    values (p_business_id, of_order.id, left_cents, left(coalesce(p_reason, 'cancelled'), 1000), 'cancel:' || p_idempotency_key);
  end if;
  return jsonb_build_object('outcome', 'cancelled', 'repeated', false, 'order', floorwalker.shop_order_view(of_order));
end
$function$
;

CREATE OR REPLACE FUNCTION public.shop_find_order(p_business_id uuid, p_phone text, p_order_number integer DEFAULT NULL::integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  perform floorwalker.check_tool_business(p_business_id);
  return (select coalesce(jsonb_agg(floorwalker.shop_order_view(o) order by o.placed_at desc), '[]')
  from (
    select * from shop_orders
    where business_id = p_business_id and customer_phone = p_phone
      and (p_order_number is null or order_number = p_order_number)
    order by placed_at desc limit 5
  ) o);
end
$function$
;

CREATE OR REPLACE FUNCTION public.shop_refund_order(p_business_id uuid, p_phone text, p_order_number integer, p_amount_cents bigint, p_reason text, p_idempotency_key text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  of_order shop_orders;
  refund shop_refunds;
  left_cents bigint;
  amount bigint;
begin
  perform floorwalker.check_tool_business(p_business_id);
  select * into of_order from shop_orders
  where business_id = p_business_id and customer_phone = p_phone and order_number = p_order_number for update;
  if not found then
    return jsonb_build_object('outcome', 'not_found');
  end if;
  select * into refund from shop_refunds where business_id = p_business_id and idempotency_key = p_idempotency_key;
  if found then
    if refund.order_id <> of_order.id or (p_amount_cents is not null and refund.amount_cents <> p_amount_cents) then
      return jsonb_build_object('outcome', 'key_reused');
    end if;
    return jsonb_build_object('outcome', 'refunded', 'repeated', true, 'refund_cents', refund.amount_cents,
      'refunded_at', refund.created_at, 'order', floorwalker.shop_order_view(of_order));
  end if;

  left_cents := floorwalker.shop_paid_cents(of_order.id) - floorwalker.shop_refunded_cents(of_order.id);
  amount := coalesce(p_amount_cents, left_cents);
  if left_cents <= 0 then
    return jsonb_build_object('outcome', 'nothing_left', 'order', floorwalker.shop_order_view(of_order));
  elsif amount <= 0 or amount > left_cents then
    return jsonb_build_object('outcome', 'too_much', 'left_cents', left_cents, 'order', floorwalker.shop_order_view(of_order));
  end if;
  insert into shop_refunds (business_id, order_id, amount_cents, reason, idempotency_key)
  values (p_business_id, of_order.id, amount, left(p_reason, 1000), p_idempotency_key) returning * into refund;
  return jsonb_build_object('outcome', 'refunded', 'repeated', false, 'refund_cents', refund.amount_cents,
    'refunded_at', refund.created_at, 'order', floorwalker.shop_order_view(of_order));
end
$function$
;

CREATE OR REPLACE FUNCTION public.start_tool_call(p_interaction_id uuid, p_generation bigint, p_call_id text, p_arguments_hash text, p_allow_restart boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions;
  call tool_calls;
  permission tool_permissions;
  reason text;
  said jsonb;
begin
  select * into mine from interactions where id = p_interaction_id for update;
  select * into call from tool_calls where interaction_id = p_interaction_id and call_id = p_call_id for update;
  if not found then
    perform floorwalker.fail('tool_call_not_found', 'There is no such tool call.');
  end if;
  select * into permission from tool_permissions where id = call.permission_id;

  reason := case
    when mine.generation is distinct from p_generation then 'stale'
    when mine.status <> 'active' then 'ended'
    when call.state in ('succeeded', 'failed', 'refused', 'unknown') then 'already_finished'
    when call.state = 'running' and not (p_allow_restart and call.generation < p_generation) then 'already_started'
    when call.requires_permission and permission.status is distinct from 'allowed' then 'not_allowed'
    when p_arguments_hash is distinct from coalesce(permission.edited_hash, call.arguments_hash) then 'hash_mismatch'
  end;
  -- An approver's edit, and what happened since the request, meet the rules again.
  if reason is null then
    said := floorwalker.tool_policy(floorwalker.rules_of(mine, coalesce(call.row_name, call.tool_name)), mine, call.tool_name,
      call.call_id, coalesce(permission.edited_arguments, call.arguments));
    if said ->> 'effect' = 'forbid' then
      update tool_calls set policy = said - 'sums' where id = call.id returning * into call;
      reason := 'policy';
    elsif not call.requires_permission and floorwalker.grant_revoked(call.grant_id) then
      -- It was let through on the strength of an allowance that has been taken back since, and has not begun.
      update tool_calls set policy = jsonb_build_object('effect', 'forbid', 'rule', null,
        'because', 'A supervisor took back that this may be done without asking; request it again.')
      where id = call.id returning * into call;
      reason := 'policy';
    end if;
  end if;
  if reason is not null then
    return jsonb_build_object('started', false, 'reason', reason, 'call', floorwalker.call_row(call));
  end if;

  update tool_calls set state = 'running', started_at = clock_timestamp(), generation = p_generation
  where id = call.id returning * into call;
  return jsonb_build_object('started', true, 'call', floorwalker.call_row(call));
end
$function$
;

CREATE OR REPLACE FUNCTION public.take_over(p_interaction_id uuid, p_insist boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions := floorwalker.active_interaction_for_actor(p_interaction_id);
  me users := floorwalker.actor();
  before_id uuid := mine.controlled_by;
  before_name text := mine.controlled_by_name;
begin
  if before_id = me.id then
    return floorwalker.public_row(mine) || jsonb_build_object('taken_from', null);
  end if;
  if before_id is not null and not (coalesce(p_insist, false) and me.role = 'admin') then
    perform floorwalker.fail('control_held', format('%s has this conversation.', before_name),
      jsonb_build_object('controlled_by', before_id, 'controlled_by_name', before_name, 'since', mine.control_changed_at));
  end if;
  update interactions set control = 'supervisor', controlled_by = me.id, controlled_by_name = me.name,
    supervisor_request_answered_at = case when supervisor_requested_at is not null
      then coalesce(supervisor_request_answered_at, clock_timestamp()) end
  where id = mine.id returning * into mine;
  perform floorwalker.trace(mine.id, 'takeover', jsonb_build_object('insisted', before_id is not null),
    jsonb_build_object('by', me.id, 'by_name', me.name, 'from', before_id, 'from_name', before_name));
  perform floorwalker.audit(mine.business_id, 'interaction.takeover', 'interactions', mine.id::text,
    jsonb_build_object('from', before_id, 'from_name', before_name, 'insisted', before_id is not null));
  return floorwalker.public_row(mine) || jsonb_build_object('taken_from', before_id);
end
$function$
;

CREATE OR REPLACE FUNCTION public.take_whispers(p_interaction_id uuid, p_generation bigint, p_ids uuid[])
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions := floorwalker.lock_interaction(p_interaction_id, p_generation);
  taken integer;
begin
  update whispers set delivered_at = clock_timestamp()
  where interaction_id = mine.id and id = any (p_ids) and delivered_at is null;
  get diagnostics taken = row_count;
  return taken;
end
$function$
;

CREATE OR REPLACE FUNCTION public.touch_presence()
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  moment timestamptz := clock_timestamp();
  me constant uuid := floorwalker.actor_id();
begin
  update users set last_seen_at = moment where id = me and deleted_at is null;
  if not found then
    perform floorwalker.fail('not_allowed', 'This account is not part of any business here.');
  end if;
  return jsonb_build_object('last_seen_at', moment);
end
$function$
;

CREATE OR REPLACE FUNCTION public.touch_presences(p_user_ids uuid[])
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  touched integer;
begin
  -- In one order for all who touch several, or two batches could wait for each other.
  perform 1 from users where id = any (p_user_ids) and deleted_at is null order by id for no key update;
  update users set last_seen_at = clock_timestamp() where id = any (p_user_ids) and deleted_at is null;
  get diagnostics touched = row_count;
  return touched;
end
$function$
;

CREATE OR REPLACE FUNCTION public.trim_changes(p_keep_seconds numeric DEFAULT 600)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  gone pg_snapshot;
  removed integer;
begin
  insert into floorwalker.change_log default values on conflict do nothing;
  update floorwalker.change_log set horizon = mark, mark = pg_current_snapshot(), marked_at = clock_timestamp()
  where marked_at <= clock_timestamp() - make_interval(secs => p_keep_seconds::double precision)
  returning horizon into gone;
  if not found then
    return 0;
  end if;
  delete from floorwalker.unfinished_answers u
  where not exists (select from interactions i where i.id = u.interaction_id and i.status = 'active');
  delete from floorwalker.changes where xid < pg_snapshot_xmax(gone) and pg_visible_in_snapshot(xid, gone);
  get diagnostics removed = row_count;
  return removed;
end
$function$
;

CREATE OR REPLACE FUNCTION public.update_archive(p_interaction_id uuid, p_result jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  archive interaction_archives;
  problem text := floorwalker.check_result(p_result);
begin
  if problem is not null then
    perform floorwalker.fail('archive_invalid', problem || '.');
  end if;
  perform floorwalker.lock_customer_history(p_interaction_id);
  select * into archive from interaction_archives where interaction_id = p_interaction_id for update;
  if not found then
    perform floorwalker.fail('archive_not_found', 'This interaction has no archive yet.');
  end if;
  perform floorwalker.extend_vocabulary(archive.business_id, p_result -> 'tags');

  update interaction_archives set
    summary = p_result ->> 'summary',
    summary_source = 'model',
    issues = p_result -> 'issues',
    tags = jsonb_build_object('topics', p_result #> '{tags,topics}', 'issues', p_result #> '{tags,issues}',
      'sentiment', coalesce(p_result #>> '{tags,sentiment}', tags ->> 'sentiment')),
    csat_score = case when csat_source = 'customer' then csat_score else coalesce((p_result ->> 'csat_score')::numeric, csat_score) end,
    csat_source = case when csat_source = 'customer' or p_result ->> 'csat_score' is null then csat_source else 'model' end
  where id = archive.id;
  -- Read again: the trigger may have changed fcr_status.
  return (select to_jsonb(a) from interaction_archives a where a.id = archive.id);
end
$function$
;

CREATE OR REPLACE FUNCTION public.visible_agents_of_people(p_user_ids uuid[])
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select coalesce(jsonb_agg(jsonb_build_object('user_id', u.id, 'agents', floorwalker.visible_agents_of(u.id))), '[]')
  from users u where u.id = any (p_user_ids) and u.deleted_at is null
$function$
;

CREATE OR REPLACE FUNCTION public.waiting_interactions()
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select coalesce(jsonb_agg(jsonb_build_object(
    'interaction_id', w.id, 'room', w.livekit_room_id, 'agent_type', w.interaction_type, 'position', w.position,
    'waited_seconds', extract(epoch from clock_timestamp() - w.queued_at),
    'language', a.language, 'voice_settings', a.voice_settings, 'business_name', b.name)
    order by w.queued_at, w.id), '[]')
  from (
    select i.*, row_number() over (partition by i.agent_id order by i.queued_at, i.id) as position
    from interactions i where i.status = 'queued' order by i.queued_at, i.id limit 500
  ) w
  join agents a on a.id = w.agent_id
  join businesses b on b.id = w.business_id
$function$
;

CREATE OR REPLACE FUNCTION public.whisper(p_interaction_id uuid, p_text text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions := floorwalker.active_interaction_for_actor(p_interaction_id);
  me users := floorwalker.actor();
  told text := floorwalker.check_whisper(p_text);
  added whispers;
begin
  insert into whispers (interaction_id, content, by_id, by_name) values (mine.id, told, me.id, me.name) returning * into added;
  perform floorwalker.trace(mine.id, 'whisper', jsonb_build_object('text', told, 'whisper_id', added.id),
    jsonb_build_object('by', me.id, 'by_name', me.name));
  perform floorwalker.audit(mine.business_id, 'interaction.whisper', 'interactions', mine.id::text,
    jsonb_build_object('whisper_id', added.id));
  return floorwalker.public_row(mine) || jsonb_build_object('whisper_id', added.id);
end
$function$
;

CREATE OR REPLACE FUNCTION public.withdraw_permissions(p_interaction_id uuid, p_generation bigint, p_call_id text DEFAULT NULL::text, p_reason text DEFAULT NULL::text)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions := floorwalker.lock_interaction(p_interaction_id, p_generation);
  withdrawn integer;
begin
  update tool_permissions set status = 'withdrawn', responded_at = clock_timestamp(), note = left(p_reason, 2000)
  where interaction_id = mine.id and status = 'pending' and expires_at > clock_timestamp()
    and (p_call_id is null or call_id = p_call_id);
  get diagnostics withdrawn = row_count;
  return withdrawn;
end
$function$
;

-- Triggers

CREATE TRIGGER audit_row AFTER INSERT OR DELETE OR UPDATE ON public.agent_tools FOR EACH ROW EXECUTE FUNCTION floorwalker.audit_row();

CREATE TRIGGER count_tool_edit AFTER INSERT OR DELETE OR UPDATE ON public.agent_tools FOR EACH ROW EXECUTE FUNCTION floorwalker.count_tool_edit();

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON public.agent_tools FOR EACH ROW EXECUTE FUNCTION floorwalker.touch_updated_at();

CREATE TRIGGER audit_row AFTER INSERT OR UPDATE ON public.agents FOR EACH ROW EXECUTE FUNCTION floorwalker.audit_row();

CREATE TRIGGER check_agent_people BEFORE INSERT OR UPDATE OF supervisor_id, cover_id, agent_type, business_id, deleted_at ON public.agents FOR EACH ROW EXECUTE FUNCTION floorwalker.check_agent_people();

CREATE TRIGGER count_agent_edit BEFORE UPDATE ON public.agents FOR EACH ROW EXECUTE FUNCTION floorwalker.count_agent_edit();

CREATE TRIGGER keep_agent_status BEFORE INSERT OR UPDATE OF status ON public.agents FOR EACH ROW EXECUTE FUNCTION floorwalker.keep_agent_status();

CREATE CONSTRAINT TRIGGER keep_agent_version AFTER UPDATE ON public.agents DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((old.version <> new.version)) EXECUTE FUNCTION floorwalker.keep_agent_version();

CREATE CONSTRAINT TRIGGER keep_first_version AFTER INSERT ON public.agents DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION floorwalker.keep_agent_version();

CREATE TRIGGER log_change AFTER INSERT OR UPDATE ON public.agents FOR EACH ROW EXECUTE FUNCTION floorwalker.log_agent();

CREATE TRIGGER note_applied_version BEFORE INSERT OR UPDATE ON public.agents FOR EACH ROW EXECUTE FUNCTION floorwalker.note_applied_version();

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON public.agents FOR EACH ROW EXECUTE FUNCTION floorwalker.touch_updated_at();

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON public.appointment_calendars FOR EACH ROW EXECUTE FUNCTION floorwalker.touch_updated_at();

CREATE TRIGGER check_appointment BEFORE INSERT OR UPDATE OF starts_at, ends_at, status, calendar_id ON public.appointments FOR EACH ROW EXECUTE FUNCTION floorwalker.check_appointment();

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON public.appointments FOR EACH ROW EXECUTE FUNCTION floorwalker.touch_updated_at();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.audit_events FOR EACH ROW EXECUTE FUNCTION floorwalker.refuse_audit_change();

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.audit_events FOR EACH STATEMENT EXECUTE FUNCTION floorwalker.refuse_audit_change();

CREATE TRIGGER check_time_zone BEFORE INSERT OR UPDATE OF time_zone ON public.businesses FOR EACH ROW EXECUTE FUNCTION floorwalker.check_time_zone();

CREATE TRIGGER recount_days AFTER UPDATE ON public.businesses FOR EACH ROW WHEN ((old.time_zone IS DISTINCT FROM new.time_zone)) EXECUTE FUNCTION floorwalker.recount_moved_days();

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON public.businesses FOR EACH ROW EXECUTE FUNCTION floorwalker.touch_updated_at();

CREATE TRIGGER log_change AFTER INSERT OR UPDATE ON public.callback_requests FOR EACH ROW EXECUTE FUNCTION floorwalker.log_change('callback');

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON public.crm_profiles FOR EACH ROW EXECUTE FUNCTION floorwalker.touch_updated_at();

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON public.customers FOR EACH ROW EXECUTE FUNCTION floorwalker.touch_updated_at();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.deletion_receipts FOR EACH ROW EXECUTE FUNCTION floorwalker.refuse_receipt_change();

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.deletion_receipts FOR EACH STATEMENT EXECUTE FUNCTION floorwalker.refuse_receipt_change();

CREATE TRIGGER check_fcr_on_archive AFTER INSERT OR UPDATE OF tags ON public.interaction_archives FOR EACH ROW EXECUTE FUNCTION floorwalker.update_fcr_on_followup();

CREATE TRIGGER count_added AFTER INSERT ON public.interaction_archives FOR EACH ROW EXECUTE FUNCTION floorwalker.count_archive();

CREATE TRIGGER count_changed AFTER UPDATE ON public.interaction_archives FOR EACH ROW WHEN (((((((old.interaction_status IS DISTINCT FROM new.interaction_status) OR (old.kind IS DISTINCT FROM new.kind)) OR (old.agent_id IS DISTINCT FROM new.agent_id)) OR (old.happened_at IS DISTINCT FROM new.happened_at)) OR (old.fcr_status IS DISTINCT FROM new.fcr_status)) OR (old.csat_score IS DISTINCT FROM new.csat_score))) EXECUTE FUNCTION floorwalker.count_archive();

CREATE TRIGGER count_removed AFTER DELETE ON public.interaction_archives FOR EACH ROW EXECUTE FUNCTION floorwalker.count_archive();

CREATE TRIGGER index_archive AFTER INSERT OR UPDATE OF summary, issues, tags ON public.interaction_archives FOR EACH ROW EXECUTE FUNCTION floorwalker.index_changed_archive();

CREATE TRIGGER place_archive BEFORE INSERT ON public.interaction_archives FOR EACH ROW EXECUTE FUNCTION floorwalker.place_archive();

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON public.interaction_archives FOR EACH ROW EXECUTE FUNCTION floorwalker.touch_updated_at();

CREATE TRIGGER forget_unfinished AFTER INSERT ON public.interaction_messages FOR EACH ROW WHEN ((new.role = 'agent'::text)) EXECUTE FUNCTION floorwalker.forget_unfinished();

CREATE TRIGGER index_late_insert AFTER INSERT ON public.interaction_messages REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION floorwalker.index_late_messages();

CREATE TRIGGER index_late_update AFTER UPDATE ON public.interaction_messages REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION floorwalker.index_late_messages();

CREATE TRIGGER log_change AFTER INSERT OR UPDATE ON public.interaction_messages FOR EACH ROW EXECUTE FUNCTION floorwalker.log_change('message');

CREATE TRIGGER count_added AFTER INSERT ON public.interactions FOR EACH ROW WHEN ((new.status = 'completed'::text)) EXECUTE FUNCTION floorwalker.count_interaction();

CREATE TRIGGER count_changed AFTER UPDATE ON public.interactions FOR EACH ROW WHEN ((((old.status = 'completed'::text) OR (new.status = 'completed'::text)) AND (((((old.status IS DISTINCT FROM new.status) OR (old.kind IS DISTINCT FROM new.kind)) OR (old.agent_id IS DISTINCT FROM new.agent_id)) OR (old.started_at IS DISTINCT FROM new.started_at)) OR (old.duration_seconds IS DISTINCT FROM new.duration_seconds)))) EXECUTE FUNCTION floorwalker.count_interaction();

CREATE TRIGGER count_removed AFTER DELETE ON public.interactions FOR EACH ROW WHEN ((old.status = 'completed'::text)) EXECUTE FUNCTION floorwalker.count_interaction();

CREATE TRIGGER keep_control BEFORE UPDATE OF control, controlled_by ON public.interactions FOR EACH ROW WHEN (((old.control IS DISTINCT FROM new.control) OR (old.controlled_by IS DISTINCT FROM new.controlled_by))) EXECUTE FUNCTION floorwalker.keep_control();

CREATE TRIGGER keep_unfinished AFTER UPDATE OF generation, status ON public.interactions FOR EACH ROW WHEN (((old.generation <> new.generation) OR ((old.status = 'active'::text) AND (new.status <> 'active'::text)))) EXECUTE FUNCTION floorwalker.keep_unfinished();

CREATE TRIGGER log_change AFTER UPDATE ON public.interactions FOR EACH ROW WHEN (((NOT (old.lease_until IS DISTINCT FROM new.lease_until)) OR (old.status <> new.status) OR (old.generation <> new.generation))) EXECUTE FUNCTION floorwalker.log_interaction();

CREATE TRIGGER log_change_insert AFTER INSERT ON public.interactions FOR EACH ROW EXECUTE FUNCTION floorwalker.log_interaction();

CREATE TRIGGER purge_supervision AFTER UPDATE OF purged_at ON public.interactions FOR EACH ROW WHEN (((old.purged_at IS NULL) AND (new.purged_at IS NOT NULL))) EXECUTE FUNCTION floorwalker.purge_supervision();

CREATE TRIGGER refresh_agent_status AFTER UPDATE OF status, paused ON public.interactions FOR EACH ROW WHEN (((old.status IS DISTINCT FROM new.status) OR (old.paused IS DISTINCT FROM new.paused))) EXECUTE FUNCTION floorwalker.refresh_agent_status();

CREATE TRIGGER refresh_agent_status_insert AFTER INSERT ON public.interactions FOR EACH ROW WHEN ((new.status = 'active'::text)) EXECUTE FUNCTION floorwalker.refresh_agent_status();

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON public.interactions FOR EACH ROW EXECUTE FUNCTION floorwalker.touch_updated_at();

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON public.knowledge_documents FOR EACH ROW EXECUTE FUNCTION floorwalker.touch_updated_at();

CREATE TRIGGER log_change AFTER INSERT ON public.realtime_metrics REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION floorwalker.log_metrics();

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON public.shop_orders FOR EACH ROW EXECUTE FUNCTION floorwalker.touch_updated_at();

CREATE TRIGGER refund_is_final BEFORE UPDATE ON public.shop_refunds FOR EACH ROW EXECUTE FUNCTION floorwalker.shop_refund_is_final();

CREATE TRIGGER refund_within_paid BEFORE INSERT ON public.shop_refunds FOR EACH ROW EXECUTE FUNCTION floorwalker.shop_refund_within_paid();

CREATE TRIGGER log_change AFTER INSERT OR UPDATE ON public.tool_calls FOR EACH ROW EXECUTE FUNCTION floorwalker.log_change('tool_call');

CREATE TRIGGER keep_decision BEFORE UPDATE ON public.tool_permissions FOR EACH ROW EXECUTE FUNCTION floorwalker.keep_decision();

CREATE TRIGGER log_change AFTER INSERT OR UPDATE ON public.tool_permissions FOR EACH ROW EXECUTE FUNCTION floorwalker.log_change('permission');

CREATE TRIGGER refresh_paused AFTER UPDATE OF status ON public.tool_permissions FOR EACH ROW WHEN ((old.status IS DISTINCT FROM new.status)) EXECUTE FUNCTION floorwalker.refresh_paused();

CREATE TRIGGER refresh_paused_insert AFTER INSERT ON public.tool_permissions FOR EACH ROW EXECUTE FUNCTION floorwalker.refresh_paused();

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON public.tool_tokens FOR EACH ROW EXECUTE FUNCTION floorwalker.touch_updated_at();

CREATE TRIGGER audit_row AFTER INSERT OR DELETE OR UPDATE ON public.users FOR EACH ROW EXECUTE FUNCTION floorwalker.audit_row();

CREATE TRIGGER check_person_change BEFORE UPDATE OF role, supervisor_type, business_id, deleted_at ON public.users FOR EACH ROW EXECUTE FUNCTION floorwalker.check_person_change();

CREATE TRIGGER log_change AFTER UPDATE OF role, business_id, deleted_at ON public.users FOR EACH ROW EXECUTE FUNCTION floorwalker.log_person();

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON public.users FOR EACH ROW EXECUTE FUNCTION floorwalker.touch_updated_at();

-- Row-level security

alter table floorwalker.agent_days enable row level security;

alter table floorwalker.archive_search enable row level security;

alter table floorwalker.change_log enable row level security;

alter table floorwalker.changes enable row level security;

alter table floorwalker.elections enable row level security;

alter table floorwalker.migrations enable row level security;

alter table floorwalker.retention_progress enable row level security;

alter table floorwalker.search_configurations enable row level security;

alter table floorwalker.tracks enable row level security;

alter table floorwalker.unfinished_answers enable row level security;

alter table agent_tools enable row level security;

alter table agent_versions enable row level security;

alter table agents enable row level security;

alter table appointment_calendars enable row level security;

alter table appointment_requests enable row level security;

alter table appointments enable row level security;

alter table audit_events enable row level security;

alter table businesses enable row level security;

alter table callback_requests enable row level security;

alter table crm_health_scores enable row level security;

alter table crm_notes enable row level security;

alter table crm_profiles enable row level security;

alter table crm_risk_signals enable row level security;

alter table customers enable row level security;

alter table deletion_receipts enable row level security;

alter table interaction_archives enable row level security;

alter table interaction_messages enable row level security;

alter table interaction_steps enable row level security;

alter table interactions enable row level security;

alter table knowledge_chunks enable row level security;

alter table knowledge_documents enable row level security;

alter table realtime_metrics enable row level security;

alter table shop_order_items enable row level security;

alter table shop_orders enable row level security;

alter table shop_refunds enable row level security;

alter table tool_calls enable row level security;

alter table tool_grants enable row level security;

alter table tool_permissions enable row level security;

alter table tool_tokens enable row level security;

alter table users enable row level security;

alter table whispers enable row level security;

-- Policies

create policy reachable on public.agent_tools for select to authenticated using (agent_id = ANY (( SELECT floorwalker.visible_agents() AS visible_agents)::uuid[]));

create policy reachable on public.agent_versions for select to authenticated using (agent_id = ANY (( SELECT floorwalker.visible_agents() AS visible_agents)::uuid[]));

create policy reachable on public.agents for select to authenticated using (id = ANY (( SELECT floorwalker.visible_agents() AS visible_agents)::uuid[]));

create policy admin_only on public.appointment_calendars for select to authenticated using (business_id = ( SELECT floorwalker.admin_business() AS admin_business));

create policy admin_only on public.appointments for select to authenticated using (business_id = ( SELECT floorwalker.admin_business() AS admin_business));

create policy admin_only on public.audit_events for select to authenticated using (business_id = ( SELECT floorwalker.admin_business() AS admin_business));

create policy own_business on public.businesses for select to authenticated using (id = ( SELECT floorwalker.actor_business() AS actor_business));

create policy reachable on public.callback_requests for select to authenticated using (agent_id = ANY (( SELECT floorwalker.visible_agents() AS visible_agents)::uuid[]));

create policy admin_only on public.crm_health_scores for select to authenticated using (business_id = ( SELECT floorwalker.admin_business() AS admin_business));

create policy admin_only on public.crm_notes for select to authenticated using (business_id = ( SELECT floorwalker.admin_business() AS admin_business));

create policy admin_only on public.crm_profiles for select to authenticated using (business_id = ( SELECT floorwalker.admin_business() AS admin_business));

create policy admin_only on public.crm_risk_signals for select to authenticated using (business_id = ( SELECT floorwalker.admin_business() AS admin_business));

create policy reachable on public.customers for select to authenticated using ((business_id = ( SELECT floorwalker.admin_business() AS admin_business)) OR (EXISTS ( SELECT
   FROM interactions i
  WHERE (i.customer_id = customers.id))));

create policy admin_only on public.deletion_receipts for select to authenticated using (business_id = ( SELECT floorwalker.admin_business() AS admin_business));

create policy reachable on public.interaction_archives for select to authenticated using ( SELECT true
   FROM interactions i
  WHERE (i.id = interaction_archives.interaction_id));

create policy reachable on public.interaction_messages for select to authenticated using ( SELECT true
   FROM interactions i
  WHERE (i.id = interaction_messages.interaction_id));

create policy reachable on public.interaction_steps for select to authenticated using ( SELECT true
   FROM interactions i
  WHERE (i.id = interaction_steps.interaction_id));

create policy reachable on public.interactions for select to authenticated using (agent_id = ANY (( SELECT floorwalker.visible_agents() AS visible_agents)::uuid[]));

create policy admin_only on public.knowledge_chunks for select to authenticated using (business_id = ( SELECT floorwalker.admin_business() AS admin_business));

create policy admin_only on public.knowledge_documents for select to authenticated using (business_id = ( SELECT floorwalker.admin_business() AS admin_business));

create policy reachable on public.realtime_metrics for select to authenticated using ( SELECT true
   FROM interactions i
  WHERE (i.id = realtime_metrics.interaction_id));

create policy admin_only on public.shop_order_items for select to authenticated using (EXISTS ( SELECT
   FROM shop_orders o
  WHERE (o.id = shop_order_items.order_id)));

create policy admin_only on public.shop_orders for select to authenticated using (business_id = ( SELECT floorwalker.admin_business() AS admin_business));

create policy admin_only on public.shop_refunds for select to authenticated using (business_id = ( SELECT floorwalker.admin_business() AS admin_business));

create policy reachable on public.tool_calls for select to authenticated using ( SELECT true
   FROM interactions i
  WHERE (i.id = tool_calls.interaction_id));

create policy reachable on public.tool_grants for select to authenticated using (EXISTS ( SELECT
   FROM interactions i
  WHERE ((i.id = tool_grants.interaction_id) AND (i.agent_id = ANY (( SELECT floorwalker.visible_agents() AS visible_agents)::uuid[])))));

create policy reachable on public.tool_permissions for select to authenticated using ( SELECT true
   FROM interactions i
  WHERE (i.id = tool_permissions.interaction_id));

create policy self_or_admin on public.users for select to authenticated using ((id = ( SELECT floorwalker.actor_id() AS actor_id)) OR (business_id = ( SELECT floorwalker.admin_business() AS admin_business)));

create policy reachable on public.whispers for select to authenticated using ( SELECT true
   FROM interactions i
  WHERE (i.id = whispers.interaction_id));

-- Rights

grant select on agent_performance to authenticated;

grant select on agent_performance to service_role;

grant select on agent_tools to authenticated;

grant delete, insert, select, update on agent_tools to service_role;

grant select on agent_versions to authenticated;

grant select on agent_versions to service_role;

grant select on agents to authenticated;

grant delete, insert, select, update on agents to service_role;

grant select on appointment_calendars to authenticated;

grant delete, insert, select, update on appointment_calendars to service_role;

grant delete, insert, select, update on appointment_requests to service_role;

grant select on appointments to authenticated;

grant delete, insert, select, update on appointments to service_role;

grant select on audit_events to authenticated;

grant insert, select on audit_events to service_role;

grant select on businesses to authenticated;

grant delete, insert, select, update on businesses to service_role;

grant select on callback_requests to authenticated;

grant delete, insert, select, update on callback_requests to service_role;

grant select on crm_health_scores to authenticated;

grant delete, insert, select, update on crm_health_scores to service_role;

grant select on crm_notes to authenticated;

grant delete, insert, select, update on crm_notes to service_role;

grant select on crm_profiles to authenticated;

grant delete, insert, select, update on crm_profiles to service_role;

grant select on crm_risk_signals to authenticated;

grant delete, insert, select, update on crm_risk_signals to service_role;

grant select on customers to authenticated;

grant delete, insert, select, update on customers to service_role;

grant select on deletion_receipts to authenticated;

grant select on deletion_receipts to service_role;

grant execute on function add_person(jsonb) to authenticated;

grant execute on function append_interim(jsonb) to service_role;

grant execute on function append_left_records(jsonb) to service_role;

grant execute on function append_records(jsonb) to service_role;

grant execute on function apply_agent(jsonb,integer,boolean) to service_role;

grant execute on function apply_agents(jsonb) to service_role;

grant execute on function apply_retention(integer,bigint) to service_role;

grant execute on function appointment_cancel(uuid,text,integer) to floorwalker_appointments;

grant execute on function appointment_cancel(uuid,text,integer) to service_role;

grant execute on function appointment_list(uuid,text) to floorwalker_appointments;

grant execute on function appointment_list(uuid,text) to service_role;

grant execute on function appointment_put(uuid,text,integer,text,timestamp without time zone,text,text,text) to floorwalker_appointments;

grant execute on function appointment_put(uuid,text,integer,text,timestamp without time zone,text,text,text) to service_role;

grant execute on function appointment_slots(uuid,text,date,integer,integer) to floorwalker_appointments;

grant execute on function appointment_slots(uuid,text,date,integer,integer) to service_role;

grant execute on function archive_replay(uuid) to authenticated;

grant execute on function assign_agent(uuid,jsonb) to authenticated;

grant execute on function begin_archive_export(jsonb,text) to authenticated;

grant execute on function calculate_performance_score(uuid,text) to authenticated;

grant execute on function calculate_performance_score(uuid,text) to service_role;

grant execute on function change_business(jsonb) to authenticated;

grant execute on function change_person(uuid,jsonb) to authenticated;

grant execute on function check_person(jsonb) to authenticated;

grant execute on function claim_interaction(uuid,text,numeric) to service_role;

grant execute on function claim_interactions(uuid[],text,numeric) to service_role;

grant execute on function claimable_interactions(integer) to service_role;

grant execute on function cleanup_old_archives(integer) to service_role;

grant execute on function cleanup_realtime_metrics() to service_role;

grant execute on function complete_callback(uuid,text) to authenticated;

grant execute on function complete_interaction(uuid,bigint,text,text) to service_role;

grant execute on function create_business(jsonb) to service_role;

grant execute on function create_interaction(jsonb) to service_role;

grant execute on function create_interactions(jsonb) to service_role;

grant execute on function crm_add_note(uuid,text,text,text) to floorwalker_customers;

grant execute on function crm_add_note(uuid,text,text,text) to floorwalker_customers_staff;

grant execute on function crm_add_note(uuid,text,text,text) to service_role;

grant execute on function crm_at_risk(uuid,integer,integer) to floorwalker_customers_staff;

grant execute on function crm_at_risk(uuid,integer,integer) to service_role;

grant execute on function crm_find(uuid,text) to floorwalker_customers;

grant execute on function crm_find(uuid,text) to floorwalker_customers_staff;

grant execute on function crm_find(uuid,text) to service_role;

grant execute on function crm_health(uuid,text) to floorwalker_customers;

grant execute on function crm_health(uuid,text) to floorwalker_customers_staff;

grant execute on function crm_health(uuid,text) to service_role;

grant execute on function crm_list_notes(uuid,text,integer) to floorwalker_customers;

grant execute on function crm_list_notes(uuid,text,integer) to floorwalker_customers_staff;

grant execute on function crm_list_notes(uuid,text,integer) to service_role;

grant execute on function crm_record_health(uuid,text,jsonb) to floorwalker_customers_staff;

grant execute on function crm_record_health(uuid,text,jsonb) to service_role;

grant execute on function crm_report_signal(uuid,text,text,text,text,text) to floorwalker_customers;

grant execute on function crm_report_signal(uuid,text,text,text,text,text) to floorwalker_customers_staff;

grant execute on function crm_report_signal(uuid,text,text,text,text,text) to service_role;

grant execute on function crm_resolve_signal(uuid,uuid) to floorwalker_customers_staff;

grant execute on function crm_resolve_signal(uuid,uuid) to service_role;

grant execute on function crm_search(uuid,text,integer) to floorwalker_customers_staff;

grant execute on function crm_search(uuid,text,integer) to service_role;

grant execute on function deactivate_person(uuid) to authenticated;

grant execute on function decide_permission(uuid,text,text,jsonb,text,jsonb) to authenticated;

grant execute on function delete_customer(jsonb) to authenticated;

grant execute on function delete_customer_as_operator(jsonb) to service_role;

grant execute on function edit_agent(uuid,integer,jsonb,text) to authenticated;

grant execute on function elect(text,text,numeric) to service_role;

grant execute on function escalate_requests(numeric) to service_role;

grant execute on function expire_permissions() to service_role;

grant execute on function export_archive(uuid,text) to authenticated;

grant execute on function finish_tool_call(uuid,bigint,text,text,text,jsonb,integer,text) to service_role;

grant execute on function floorwalker.active_interaction_for_actor(uuid) to service_role;

grant execute on function floorwalker.actor() to service_role;

grant execute on function floorwalker.actor_business() to authenticated;

grant execute on function floorwalker.actor_business() to service_role;

grant execute on function floorwalker.actor_id() to authenticated;

grant execute on function floorwalker.actor_id() to service_role;

grant execute on function floorwalker.admin_business() to authenticated;

grant execute on function floorwalker.admin_business() to service_role;

grant execute on function floorwalker.agent_definition(uuid) to service_role;

grant execute on function floorwalker.agent_for_actor(uuid) to service_role;

grant execute on function floorwalker.agent_sums(uuid,timestamp with time zone,uuid[]) to service_role;

grant execute on function floorwalker.apply_policy(businesses,integer) to service_role;

grant execute on function floorwalker.apply_tools(uuid,jsonb) to service_role;

grant execute on function floorwalker.appointment_view(appointments) to service_role;

grant execute on function floorwalker.archive_conditions(jsonb) to service_role;

grant execute on function floorwalker.audit(uuid,text,text,text,jsonb) to service_role;

grant execute on function floorwalker.audit_row() to service_role;

grant execute on function floorwalker.calendar_open(appointment_calendars,timestamp without time zone,timestamp without time zone) to service_role;

grant execute on function floorwalker.call_row(tool_calls) to service_role;

grant execute on function floorwalker.check_agent_people() to service_role;

grant execute on function floorwalker.check_appointment() to service_role;

grant execute on function floorwalker.check_limits(businesses,uuid,text,jsonb) to service_role;

grant execute on function floorwalker.check_origins(text[]) to service_role;

grant execute on function floorwalker.check_person_change() to service_role;

grant execute on function floorwalker.check_result(jsonb) to service_role;

grant execute on function floorwalker.check_retention(jsonb) to service_role;

grant execute on function floorwalker.check_time_zone() to service_role;

grant execute on function floorwalker.check_tool_business(uuid) to service_role;

grant execute on function floorwalker.check_tool_changes(uuid,jsonb,boolean) to service_role;

grant execute on function floorwalker.check_username(uuid,text,uuid) to service_role;

grant execute on function floorwalker.check_vocabulary(jsonb) to service_role;

grant execute on function floorwalker.check_whisper(text) to service_role;

grant execute on function floorwalker.comparable_definition(jsonb) to service_role;

grant execute on function floorwalker.count_agent_edit() to service_role;

grant execute on function floorwalker.count_archive() to service_role;

grant execute on function floorwalker.count_interaction() to service_role;

grant execute on function floorwalker.count_retention(uuid,bigint,bigint,bigint,bigint) to service_role;

grant execute on function floorwalker.count_tool_edit() to service_role;

grant execute on function floorwalker.created(interactions) to service_role;

grant execute on function floorwalker.crm_customer(uuid,text) to service_role;

grant execute on function floorwalker.crm_ensure_customer(uuid,text) to service_role;

grant execute on function floorwalker.crm_open_signals(uuid) to service_role;

grant execute on function floorwalker.crm_standing(uuid) to service_role;

grant execute on function floorwalker.crm_view(customers) to service_role;

grant execute on function floorwalker.day_key(uuid,text,integer) to service_role;

grant execute on function floorwalker.day_number(timestamp with time zone) to service_role;

grant execute on function floorwalker.day_of(uuid,timestamp with time zone) to service_role;

grant execute on function floorwalker.delete_subject(uuid,jsonb,uuid,text) to service_role;

grant execute on function floorwalker.derive_agent_status(uuid) to service_role;

grant execute on function floorwalker.empty_of(uuid,text[]) to service_role;

grant execute on function floorwalker.end_interaction(interactions,text,text) to service_role;

grant execute on function floorwalker.excerpt(uuid,text,text) to service_role;

grant execute on function floorwalker.expire_metrics(uuid,timestamp with time zone,integer) to service_role;

grant execute on function floorwalker.extend_vocabulary(uuid,jsonb) to service_role;

grant execute on function floorwalker.facts(interactions) to service_role;

grant execute on function floorwalker.facts_summary(interactions,jsonb) to service_role;

grant execute on function floorwalker.fail(text,text,jsonb) to service_role;

grant execute on function floorwalker.find_business(jsonb) to service_role;

grant execute on function floorwalker.find_calendar(uuid,text) to service_role;

grant execute on function floorwalker.find_person(uuid,text,text,text) to service_role;

grant execute on function floorwalker.found_archives(jsonb,uuid[]) to service_role;

grant execute on function floorwalker.free_slots(appointment_calendars,text,date,integer,integer,uuid) to service_role;

grant execute on function floorwalker.healthy_stretch() to service_role;

grant execute on function floorwalker.index_archive(uuid) to service_role;

grant execute on function floorwalker.index_changed_archive() to service_role;

grant execute on function floorwalker.index_late_messages() to service_role;

grant execute on function floorwalker.interaction_for_actor(uuid) to service_role;

grant execute on function floorwalker.interaction_of_token(uuid,text) to service_role;

grant execute on function floorwalker.is_inline_command(jsonb) to service_role;

grant execute on function floorwalker.keep_agent_status() to service_role;

grant execute on function floorwalker.keep_agent_version() to service_role;

grant execute on function floorwalker.keep_control() to service_role;

grant execute on function floorwalker.keep_days(businesses,interactions) to service_role;

grant execute on function floorwalker.keep_decision() to service_role;

grant execute on function floorwalker.keep_transcript_days(businesses,interactions) to service_role;

grant execute on function floorwalker.limit_of(jsonb,jsonb,text) to service_role;

grant execute on function floorwalker.link_customer(uuid,text) to service_role;

grant execute on function floorwalker.lock_customer_history(uuid) to service_role;

grant execute on function floorwalker.lock_interaction(uuid,bigint) to service_role;

grant execute on function floorwalker.log_agent() to service_role;

grant execute on function floorwalker.log_change() to service_role;

grant execute on function floorwalker.log_interaction() to service_role;

grant execute on function floorwalker.log_metrics() to service_role;

grant execute on function floorwalker.log_person() to service_role;

grant execute on function floorwalker.look_for_archives(jsonb,timestamp with time zone,uuid,integer,interval,integer,integer) to service_role;

grant execute on function floorwalker.metrics_series(uuid) to service_role;

grant execute on function floorwalker.newest_archives(uuid,uuid[],text,timestamp with time zone,timestamp with time zone,timestamp with time zone,uuid,integer) to service_role;

grant execute on function floorwalker.next_appointment_reference(uuid) to service_role;

grant execute on function floorwalker.no_calendar(uuid) to service_role;

grant execute on function floorwalker.note_applied_version() to service_role;

grant execute on function floorwalker.period_start(text,text) to service_role;

grant execute on function floorwalker.person_for_admin(users,uuid) to service_role;

grant execute on function floorwalker.phone_keys(text) to service_role;

grant execute on function floorwalker.place_archive() to service_role;

grant execute on function floorwalker.public_row(interactions) to service_role;

grant execute on function floorwalker.purge_interaction(uuid) to service_role;

grant execute on function floorwalker.purge_supervision() to service_role;

grant execute on function floorwalker.purge_transcript(uuid) to service_role;

grant execute on function floorwalker.queue_position(interactions) to service_role;

grant execute on function floorwalker.reaches_agent(uuid) to service_role;

grant execute on function floorwalker.read_leases(jsonb) to service_role;

grant execute on function floorwalker.receipt_hash(deletion_receipts) to service_role;

grant execute on function floorwalker.recount_days(uuid) to service_role;

grant execute on function floorwalker.recount_moved_days() to service_role;

grant execute on function floorwalker.redact_audit(uuid,text[],text,uuid) to service_role;

grant execute on function floorwalker.refresh_agent_status() to service_role;

grant execute on function floorwalker.refresh_paused() to service_role;

grant execute on function floorwalker.refuse_audit_change() to service_role;

grant execute on function floorwalker.refuse_other_version(agents,integer) to service_role;

grant execute on function floorwalker.refuse_receipt_change() to service_role;

grant execute on function floorwalker.replay(uuid) to service_role;

grant execute on function floorwalker.require_actor() to service_role;

grant execute on function floorwalker.require_admin() to service_role;

grant execute on function floorwalker.require_admin_alone() to service_role;

grant execute on function floorwalker.require_term(text,bigint) to service_role;

grant execute on function floorwalker.resolved_at_first_contact(uuid) to service_role;

grant execute on function floorwalker.retention_figure(jsonb,text,integer) to service_role;

grant execute on function floorwalker.row_difference(jsonb,jsonb) to service_role;

grant execute on function floorwalker.scores(uuid,text) to service_role;

grant execute on function floorwalker.seconds_until_free(timestamp with time zone[],numeric) to service_role;

grant execute on function floorwalker.shop_order_view(shop_orders) to service_role;

grant execute on function floorwalker.shop_paid_cents(uuid) to service_role;

grant execute on function floorwalker.shop_refund_is_final() to service_role;

grant execute on function floorwalker.shop_refund_within_paid() to service_role;

grant execute on function floorwalker.shop_refunded_cents(uuid) to service_role;

grant execute on function floorwalker.snapshot_agent(uuid) to service_role;

grant execute on function floorwalker.snapshot_covers(pg_snapshot,pg_snapshot) to service_role;

grant execute on function floorwalker.somebody_present(uuid) to service_role;

grant execute on function floorwalker.store_messages(uuid,jsonb) to service_role;

grant execute on function floorwalker.store_steps(uuid,jsonb) to service_role;

grant execute on function floorwalker.subject_interactions(uuid,jsonb) to service_role;

grant execute on function floorwalker.text_configuration(text) to service_role;

grant execute on function floorwalker.touch_updated_at() to service_role;

grant execute on function floorwalker.trace(uuid,text,jsonb,jsonb) to service_role;

grant execute on function floorwalker.update_fcr_on_followup() to service_role;

grant execute on function floorwalker.valid_hours(jsonb) to service_role;

grant execute on function floorwalker.vector_schema() to service_role;

grant execute on function floorwalker.visible_agents() to authenticated;

grant execute on function floorwalker.visible_agents() to service_role;

grant execute on function floorwalker.visible_agents_of(uuid) to service_role;

grant execute on function floorwalker.whisper_row(whispers) to service_role;

grant execute on function floorwalker.write_definition(agents,jsonb,jsonb) to service_role;

grant execute on function fold_figures(integer) to service_role;

grant execute on function fold_tracks(integer) to service_role;

grant execute on function hand_back(uuid,text) to authenticated;

grant execute on function heartbeat(text,jsonb,numeric) to service_role;

grant execute on function interaction_tracks(uuid,integer) to authenticated;

grant execute on function keep_claims(text,jsonb,numeric) to service_role;

grant execute on function knowledge_add_chunks(uuid,uuid,integer,text,text,jsonb) to floorwalker_knowledge_writer;

grant execute on function knowledge_add_chunks(uuid,uuid,integer,text,text,jsonb) to service_role;

grant execute on function knowledge_begin(uuid,uuid) to floorwalker_knowledge_writer;

grant execute on function knowledge_begin(uuid,uuid) to service_role;

grant execute on function knowledge_enable_vectors() to floorwalker_knowledge_writer;

grant execute on function knowledge_enable_vectors() to service_role;

grant execute on function knowledge_finish(uuid,uuid,integer,text,text) to floorwalker_knowledge_writer;

grant execute on function knowledge_finish(uuid,uuid,integer,text,text) to service_role;

grant execute on function knowledge_list(uuid,text,integer) to floorwalker_knowledge;

grant execute on function knowledge_list(uuid,text,integer) to floorwalker_knowledge_writer;

grant execute on function knowledge_list(uuid,text,integer) to service_role;

grant execute on function knowledge_read(uuid,uuid,integer,integer) to floorwalker_knowledge;

grant execute on function knowledge_read(uuid,uuid,integer,integer) to floorwalker_knowledge_writer;

grant execute on function knowledge_read(uuid,uuid,integer,integer) to service_role;

grant execute on function knowledge_register(uuid,jsonb,boolean) to floorwalker_knowledge_writer;

grant execute on function knowledge_register(uuid,jsonb,boolean) to service_role;

grant execute on function knowledge_remove(uuid,text) to floorwalker_knowledge_writer;

grant execute on function knowledge_remove(uuid,text) to service_role;

grant execute on function knowledge_search(uuid,text,text,text,text,uuid,integer) to floorwalker_knowledge;

grant execute on function knowledge_search(uuid,text,text,text,text,uuid,integer) to floorwalker_knowledge_writer;

grant execute on function knowledge_search(uuid,text,text,text,text,uuid,integer) to service_role;

grant execute on function leaderboard(text) to authenticated;

grant execute on function leave_interaction(uuid,text) to service_role;

grant execute on function load_agent_tools(uuid,bigint) to service_role;

grant execute on function load_session(uuid,bigint,numeric) to service_role;

grant execute on function load_tool_tokens(uuid,text) to service_role;

grant execute on function look_through_archives(jsonb,timestamp with time zone,uuid,integer,integer,integer) to authenticated;

grant execute on function monitor_interaction(uuid) to authenticated;

grant execute on function people_out_of_sight() to service_role;

grant execute on function performance(text) to authenticated;

grant execute on function performance_by_agent(text) to authenticated;

grant execute on function performance_series(integer,uuid) to authenticated;

grant execute on function poll_sessions(jsonb) to service_role;

grant execute on function rate_interaction(uuid,text,integer,text) to service_role;

grant execute on function read_changes(text,text,text,bigint,integer) to service_role;

grant execute on function reap_unjoined(numeric,uuid[]) to service_role;

grant execute on function record_left_metrics(jsonb) to service_role;

grant execute on function record_metrics(jsonb) to service_role;

grant execute on function register_user(jsonb) to service_role;

grant execute on function release_control(uuid,bigint,text,uuid) to service_role;

grant execute on function release_lease(uuid,bigint,boolean) to service_role;

grant execute on function release_worker(text,uuid) to service_role;

grant execute on function request_callback(uuid,bigint,text,text,text) to service_role;

grant execute on function request_end(uuid,text) to authenticated;

grant execute on function request_supervisor(uuid,bigint,text) to service_role;

grant execute on function request_tool_call(jsonb) to service_role;

grant execute on function resign(text,text,bigint) to service_role;

grant execute on function resolve_tool_call(uuid,text,text) to authenticated;

grant execute on function resume_interaction(uuid,text) to service_role;

grant execute on function retention_progress() to service_role;

grant execute on function revoke_grant(uuid) to authenticated;

grant execute on function roll_back_agent(uuid,integer,integer) to authenticated;

grant execute on function save_tool_tokens(uuid,text,text,bigint) to service_role;

grant execute on function schema_version() to authenticated;

grant execute on function schema_version() to service_role;

grant execute on function search_archives(jsonb,timestamp with time zone,uuid,integer) to authenticated;

grant execute on function set_disposition(uuid,text,text) to authenticated;

grant execute on function set_phone_number(uuid,bigint,text,text) to service_role;

grant execute on function shop_cancel_order(uuid,text,integer,text,text) to floorwalker_orders;

grant execute on function shop_cancel_order(uuid,text,integer,text,text) to service_role;

grant execute on function shop_find_order(uuid,text,integer) to floorwalker_orders;

grant execute on function shop_find_order(uuid,text,integer) to service_role;

grant execute on function shop_refund_order(uuid,text,integer,bigint,text,text) to floorwalker_orders;

grant execute on function shop_refund_order(uuid,text,integer,bigint,text,text) to service_role;

grant execute on function start_tool_call(uuid,bigint,text,text,boolean) to service_role;

grant execute on function take_over(uuid,boolean) to authenticated;

grant execute on function take_whispers(uuid,bigint,uuid[]) to service_role;

grant execute on function touch_presence() to authenticated;

grant execute on function touch_presences(uuid[]) to service_role;

grant execute on function trim_changes(numeric) to service_role;

grant execute on function update_archive(uuid,jsonb) to service_role;

grant execute on function visible_agents_of_people(uuid[]) to service_role;

grant execute on function waiting_interactions() to service_role;

grant execute on function whisper(uuid,text) to authenticated;

grant execute on function withdraw_permissions(uuid,bigint,text,text) to service_role;

grant select on interaction_archives to authenticated;

grant delete, insert, select, update on interaction_archives to service_role;

grant select on interaction_messages to authenticated;

grant delete, insert, select, update on interaction_messages to service_role;

grant select on interaction_steps to authenticated;

grant delete, insert, select, update on interaction_steps to service_role;

grant select on interactions to authenticated;

grant delete, insert, select, update on interactions to service_role;

grant select on knowledge_chunks to authenticated;

grant delete, insert, select, update on knowledge_chunks to service_role;

grant select on knowledge_documents to authenticated;

grant delete, insert, select, update on knowledge_documents to service_role;

grant select on live_interactions to authenticated;

grant select on live_interactions to service_role;

grant select on realtime_metrics to authenticated;

grant delete, insert, select, update on realtime_metrics to service_role;

grant select on shop_order_items to authenticated;

grant delete, insert, select, update on shop_order_items to service_role;

grant select on shop_orders to authenticated;

grant delete, insert, select, update on shop_orders to service_role;

grant select on shop_refunds to authenticated;

grant delete, insert, select, update on shop_refunds to service_role;

grant select on supervisor_performance to authenticated;

grant select on supervisor_performance to service_role;

grant select on tool_calls to authenticated;

grant delete, insert, select, update on tool_calls to service_role;

grant select on tool_grants to authenticated;

grant select on tool_grants to service_role;

grant select on tool_permissions to authenticated;

grant delete, insert, select, update on tool_permissions to service_role;

grant select on users to authenticated;

grant delete, insert, select, update on users to service_role;

grant select on whispers to authenticated;

grant delete, insert, select, update on whispers to service_role;
