#include "agent/app/toolbox.h"

#include "agent/connectors/amqp/amqp_actions.h"
#include "agent/connectors/archive/archive_actions.h"
#include "agent/connectors/command/command_actions.h"
#include "agent/connectors/csv/csv_actions.h"
#include "agent/connectors/csv/csv_rows.h"
#include "agent/connectors/file/connection_test.h"
#include "agent/connectors/file/file_actions.h"
#include "agent/connectors/file/file_handle.h"
#include "agent/connectors/fixed/fixed_actions.h"
#include "agent/connectors/fixed/fixed_rows.h"
#include "agent/connectors/ftps/ftps_actions.h"
#include "agent/connectors/http/http_actions.h"
#include "agent/connectors/http/http_connection_test.h"
#include "agent/connectors/json/json_actions.h"
#include "agent/connectors/json/json_rows.h"
#include "agent/connectors/json/ndjson_rows.h"
#include "agent/connectors/kafka/kafka_actions.h"
#include "agent/connectors/ldap/ldap_actions.h"
#include "agent/connectors/listen/listen_actions.h"
#include "agent/connectors/mail/mail_actions.h"
#include "agent/connectors/rows.h"
#include "agent/connectors/run_time.h"
#include "agent/connectors/smb/smb_actions.h"
#include "agent/connectors/sql/connection_test.h"
#include "agent/connectors/sql/sql_actions.h"
#include "agent/connectors/ssh/ssh_actions.h"
#include "agent/connectors/ssh/ssh_connection_test.h"
#include "agent/connectors/stored_rows.h"
#include "agent/connectors/xml/xml_actions.h"
#include "agent/connectors/xml/xml_rows.h"

#include <algorithm>

namespace sallyport::app {
namespace {

template <class T>
std::vector<T*> pointers_to(const std::vector<std::unique_ptr<T>>& owned) {
  std::vector<T*> pointers;
  std::ranges::transform(owned, std::back_inserter(pointers), &std::unique_ptr<T>::get);
  return pointers;
}

}  // namespace

Toolbox::Toolbox(connectors::Site site, boost::asio::thread_pool& pool)
    : databases_(connectors::sql::make_databases(site)),
      file_watch_(site, pool),
      sql_poll_(site, databases_, pool),
      amqp_consume_(site),
      kafka_consume_(site) {
  for (auto make : {connectors::file::make_actions, connectors::archive::make_actions, connectors::csv::make_actions,
                    connectors::json::make_actions, connectors::xml::make_actions, connectors::fixed::make_actions,
                    connectors::command::make_actions, connectors::http::make_actions, connectors::ldap::make_actions,
                    connectors::mail::make_actions, connectors::amqp::make_actions, connectors::kafka::make_actions}) {
    add(make(site), site);
  }
  add(connectors::sql::make_actions_on(databases_, site), site);
  const auto ssh = connectors::ssh::make_servers(site);
  add(connectors::ssh::make_actions_on(ssh, site), site);
  watches_.push_back(connectors::ssh::make_watch(ssh, site, pool));
  const auto ftps = connectors::ftps::make_servers(site);
  add(connectors::ftps::make_actions_on(ftps, site), site);
  watches_.push_back(connectors::ftps::make_watch(ftps, site, pool));
  const auto smb = connectors::smb::make_servers(site);
  add(connectors::smb::make_actions_on(smb, site), site);
  watches_.push_back(connectors::smb::make_watch(smb, site, pool));
  watches_.push_back(connectors::listen::make_listen_trigger(site));
  std::vector<std::unique_ptr<connectors::RowFormat>> formats;
  formats.push_back(std::make_unique<connectors::StoredRowsFormat>());
  formats.push_back(std::make_unique<connectors::csv::CsvFormat>());
  formats.push_back(std::make_unique<connectors::json::NdjsonFormat>());
  formats.push_back(std::make_unique<connectors::json::JsonFormat>());
  formats.push_back(std::make_unique<connectors::fixed::FixedFormat>());
  formats.push_back(std::make_unique<connectors::xml::XmlFormat>());
  openers_.push_back(std::make_unique<connectors::file::FileOpener>(site));
  openers_.push_back(std::make_unique<connectors::RowsOpener>(std::move(formats)));
}

void Toolbox::add(std::vector<std::unique_ptr<connectors::Action>> actions, const connectors::Site& site) {
  for (auto& action : actions) actions_.push_back(connectors::within_run_time(std::move(action), site));
}

std::vector<connectors::Action*> Toolbox::actions() const { return pointers_to(actions_); }
std::vector<connectors::TriggerSource*> Toolbox::triggers() {
  std::vector<connectors::TriggerSource*> all{&file_watch_, &sql_poll_, &amqp_consume_, &kafka_consume_};
  for (const auto& watch : watches_) all.push_back(watch.get());
  return all;
}
std::vector<connectors::HandleOpener*> Toolbox::openers() const { return pointers_to(openers_); }

std::vector<std::unique_ptr<connectors::ConnectionTest>> make_connection_tests(const connectors::Site& site) {
  std::vector<std::unique_ptr<connectors::ConnectionTest>> tests;
  tests.push_back(std::make_unique<connectors::file::FileConnectionTest>(site.policy));
  tests.push_back(connectors::sql::make_connection_test(site));
  tests.push_back(connectors::http::make_http_connection_test(site));
  tests.push_back(connectors::ldap::make_ldap_test(site));
  tests.push_back(connectors::mail::make_smtp_test(site));
  tests.push_back(connectors::ssh::make_ssh_connection_test(site));
  tests.push_back(connectors::ftps::make_ftps_test(site));
  tests.push_back(connectors::smb::make_smb_test(site));
  tests.push_back(connectors::amqp::make_amqp_test(site));
  tests.push_back(connectors::kafka::make_kafka_test(site));
  tests.push_back(connectors::listen::make_listen_test(site));
  return tests;
}

}  // namespace sallyport::app
