#pragma once

#include "relay/store/agents.h"
#include "relay/store/api_tokens.h"
#include "relay/store/archive.h"
#include "relay/store/assignments.h"
#include "relay/store/audit_cuts.h"
#include "relay/store/audit_log.h"
#include "relay/store/certificates.h"
#include "relay/store/connections.h"
#include "relay/store/enrolment_tokens.h"
#include "relay/store/erasures.h"
#include "relay/store/extracts.h"
#include "relay/store/groups.h"
#include "relay/store/health.h"
#include "relay/store/history.h"
#include "relay/store/idempotency_keys.h"
#include "relay/store/job_keys.h"
#include "relay/store/jobs.h"
#include "relay/store/key_witnesses.h"
#include "relay/store/organisations.h"
#include "relay/store/recipes.h"
#include "relay/store/retentions.h"
#include "relay/store/standing_records.h"
#include "relay/store/system_keys.h"
#include "relay/store/tunnels.h"
#include "relay/store/users.h"
#include "relay/store/webhooks.h"

namespace sallyport::store {

// The ports of one engine, for composition roots and tests. A service takes the ports it needs, not this.
struct Stores {
  Organisations& organisations;
  Users& users;
  ApiTokens& api_tokens;
  Groups& groups;
  Agents& agents;
  Certificates& certificates;
  IssuingCas& issuing_cas;
  EnrolmentTokens& enrolment_tokens;
  Connections& connections;
  Recipes& recipes;
  Assignments& assignments;
  Jobs& jobs;
  JobKeys& job_keys;
  History& history;
  Tunnels& tunnels;
  Retentions& retentions;
  StandingRecords& standing_records;
  KeyWitnesses& key_witnesses;
  SystemKeys& system_keys;
  Webhooks& webhooks;
  IdempotencyKeys& idempotency_keys;
  AuditLog& audit_log;
  Erasures& erasures;
  Extracts& extracts;
  AuditCuts& audit_cuts;
  Archive& archive;
  Health& health;
};

}  // namespace sallyport::store
