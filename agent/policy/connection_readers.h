#pragma once

#include "agent/policy/connections.h"
#include "shared/recipe/fields.h"

#include <string_view>

// One reader per kind of connection, of its fields but `kind` itself; private to this folder. `directory` is that of
// connections.yaml.
namespace sallyport::policy {

OdbcConnection read_odbc(yaml::FieldReader& fields, std::string_view directory);
SqlConnection read_sql(yaml::FieldReader& fields, std::string_view directory);
LdapConnection read_ldap(yaml::FieldReader& fields, std::string_view directory);
SshConnection read_ssh(yaml::FieldReader& fields, std::string_view directory);
SmtpConnection read_smtp(yaml::FieldReader& fields, std::string_view directory);
FtpsConnection read_ftps(yaml::FieldReader& fields, std::string_view directory);
SmbConnection read_smb(yaml::FieldReader& fields, std::string_view directory);

}  // namespace sallyport::policy
