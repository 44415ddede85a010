#include "relay/erasure/receipt.h"

#include "shared/base/json.h"

namespace sallyport::erasure {
namespace {

Value number(std::uint64_t value) { return Value(static_cast<std::int64_t>(value)); }

Value shape(const store::LedgerHead& head) {
  return Value(ValueMap{{Value("rows"), number(head.seq)}, {Value("head"), Value(hex(head.hash))}});
}

Value shape(const std::vector<store::ErasedRows>& rows) {
  ValueMap tables;
  for (const auto& one : rows) tables.emplace(Value(one.table), number(one.amount));
  return Value(std::move(tables));
}

Value shape(const store::ErasedObjects& objects) {
  return Value(ValueMap{{Value("removed"), number(objects.all - objects.left)}, {Value("left"), number(objects.left)}});
}

Value tables_left() {
  ValueMap left;
  for (const auto& one : store::tables_left()) left.emplace(Value(one.table), Value(one.why));
  return Value(std::move(left));
}

Value shape(const store::CountedLane& counted) {
  const auto& lane = counted.state;
  return Value(ValueMap{{Value("class"), Value(lane.lane.kind)},
                        {Value("retention_hours"), number(lane.lane.hours)},
                        {Value("destroyed_before"), Value(rfc3339(store::start_of(lane.position)))},
                        {Value("hours_left"), number(counted.keys)}});
}

}  // namespace

Value receipt_of(const Outcome& outcome) {
  const auto& erasure = outcome.erasure;
  ValueMap told{{Value("receipt"), Value(to_string(erasure.subject))},
                {Value("erasure"), Value(erasure.id.value)},
                {Value("organisation"), Value(erasure.org.value)},
                {Value("asked_by"), Value(erasure.asked_by)},
                {Value("asked_at"), Value(rfc3339(erasure.asked_at))},
                {Value("finished_at"), Value(rfc3339(outcome.finished_at))},
                {Value("rows"), shape(outcome.rows)},
                {Value("ledger"), shape(outcome.ledger)},
                {Value("system_ledger"), shape(outcome.system_ledger)}};
  if (erasure.subject == store::ErasedSubject::person) {
    told.emplace(Value("person"), Value(erasure.person.value));
    told.emplace(Value("kept_answers_until"), Value(rfc3339(outcome.finished_at + kKeptAnswers)));
  } else {
    const auto keys = parse_json(erasure.keys);
    told.emplace(Value("keys"), keys.value_or(Value()));
    told.emplace(Value("archived_objects"), shape(outcome.objects));
    told.emplace(Value("key_backups_until"), Value(rfc3339(outcome.finished_at + outcome.key_backups)));
    told.emplace(Value("left"), tables_left());
  }
  return Value(std::move(told));
}

Value shredding_receipt(const OrgId& org, WallTime at, std::uint64_t epoch,
                        const std::vector<store::CountedLane>& lanes) {
  ValueList told;
  for (const auto& lane : lanes) told.push_back(shape(lane));
  return Value(ValueMap{{Value("receipt"), Value("shredding")},
                        {Value("organisation"), Value(org.value)},
                        {Value("at"), Value(rfc3339(at))},
                        {Value("anchor"), number(epoch)},
                        {Value("lanes"), Value(std::move(told))}});
}

std::string keys_json(const store::ErasedKeys& keys) {
  return canonical_json(Value(ValueMap{{Value("organisation_keys"), number(keys.versions)},
                                       {Value("ratchets"), number(keys.lanes)},
                                       {Value("hours"), number(keys.hours)},
                                       {Value("anchor_before"), number(keys.epoch_before)},
                                       {Value("anchor_after"), number(keys.epoch_after)}}));
}

}  // namespace sallyport::erasure
