# --- the language of the wire
set(proto_dir ${CMAKE_BINARY_DIR}/generated)
file(GLOB proto_files CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/proto/sallyport/v1/*.proto)
file(MAKE_DIRECTORY ${proto_dir})
foreach(proto ${proto_files})
  string(REGEX REPLACE "\\.proto$" "" stem ${proto})
  add_custom_command(
    OUTPUT ${proto_dir}/${stem}.pb.cc ${proto_dir}/${stem}.pb.h
    COMMAND protobuf::protoc --cpp_out=${proto_dir} -I ${CMAKE_SOURCE_DIR} ${proto}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} DEPENDS ${proto} VERBATIM)
  list(APPEND proto_sources ${proto_dir}/${stem}.pb.cc)
endforeach()
add_library(proto STATIC ${proto_sources})
target_include_directories(proto SYSTEM PUBLIC ${proto_dir})
target_compile_options(proto PRIVATE -w)
target_link_libraries(proto PUBLIC protobuf::libprotobuf-lite)

# --- shared
sallyport_module(shared/base USES fmt::fmt nlohmann_json::nlohmann_json)
sallyport_module(shared/async USES shared/base asio)
sallyport_module(shared/crypto USES shared/base OpenSSL::Crypto)
sallyport_module(shared/sealing USES shared/base shared/crypto)
sallyport_module(shared/tls USES shared/base shared/async shared/crypto OpenSSL::SSL)
sallyport_module(shared/mux USES shared/base)
sallyport_module(shared/link USES shared/base shared/async shared/mux proto)
sallyport_module(shared/tunnel USES shared/base shared/async shared/link asio)
sallyport_module(shared/websocket USES shared/base shared/async shared/crypto)
sallyport_module(shared/http USES shared/base shared/async asio OpenSSL::SSL)
sallyport_module(shared/proof USES shared/base shared/crypto shared/http)
sallyport_module(shared/zone USES shared/base)
sallyport_module(shared/expr USES shared/base shared/zone PkgConfig::RE2)
sallyport_module(shared/recipe USES shared/base shared/expr shared/zone PkgConfig::YAML)
sallyport_module(shared/execution USES shared/base shared/crypto shared/expr shared/recipe)

# --- agent
sallyport_module(agent/platform USES shared/base shared/async)
sallyport_module(agent/vault USES shared/base shared/crypto agent/platform)
sallyport_module(agent/policy USES shared/base shared/recipe shared/crypto shared/sealing agent/platform agent/vault)
sallyport_module(agent/journal USES shared/base shared/async shared/crypto shared/execution agent/platform PkgConfig::SQLITE)
sallyport_module(agent/findings USES shared/base)
sallyport_module(agent/connectors USES shared/base shared/async shared/execution agent/findings agent/policy agent/vault agent/platform libcurl::headers)
sallyport_module(agent/connectors/certificate USES agent/connectors shared/async shared/crypto shared/tls asio)
sallyport_module(agent/connectors/file USES agent/connectors shared/crypto)
sallyport_module(agent/connectors/archive USES agent/connectors zlib::headers zstd::headers)
sallyport_module(agent/connectors/csv USES agent/connectors)
sallyport_module(agent/connectors/json USES agent/connectors)
sallyport_module(agent/connectors/fixed USES agent/connectors)
sallyport_module(agent/connectors/xml USES agent/connectors expat::headers)
sallyport_module(agent/connectors/command USES agent/connectors)
sallyport_module(agent/connectors/sql USES agent/connectors agent/connectors/certificate PkgConfig::RE2 PkgConfig::SQLITE libpq::headers libmariadb::headers odbc::headers)
sallyport_module(agent/connectors/http USES agent/connectors agent/connectors/certificate shared/crypto libcurl::headers)
sallyport_module(agent/connectors/ldap USES agent/connectors agent/connectors/certificate ldap::headers)
sallyport_module(agent/connectors/remote USES agent/connectors shared/crypto)
sallyport_module(agent/connectors/ssh USES agent/connectors agent/connectors/remote shared/crypto asio libssh2::libssh2)
sallyport_module(agent/connectors/ftps USES agent/connectors agent/connectors/certificate agent/connectors/remote libcurl::headers)
sallyport_module(agent/connectors/smb/wire USES shared/base)
sallyport_module(agent/connectors/smb USES agent/connectors agent/connectors/remote agent/connectors/smb/wire)
sallyport_module(agent/connectors/amqp USES agent/connectors agent/connectors/certificate shared/crypto libcurl::headers librabbitmq::headers)
sallyport_module(agent/connectors/kafka USES agent/connectors agent/connectors/certificate librdkafka::headers)
sallyport_module(agent/connectors/listen USES agent/connectors agent/connectors/certificate shared/http shared/proof shared/crypto asio)
sallyport_module(agent/connectors/mail USES agent/connectors agent/connectors/certificate shared/crypto libcurl::headers)
sallyport_module(agent/runner USES shared/execution shared/recipe shared/expr shared/async shared/crypto shared/link proto agent/journal agent/connectors
                 agent/policy agent/platform)
sallyport_module(agent/link USES shared/link shared/tls shared/websocket shared/crypto shared/async agent/platform proto)
sallyport_module(agent/system_keys USES shared/sealing shared/link shared/base proto agent/link agent/vault agent/platform)
sallyport_module(agent/tunnel USES shared/tunnel shared/link shared/async shared/base agent/policy agent/platform proto)
sallyport_module(agent/doctor USES shared/base shared/async shared/mux shared/tls agent/findings agent/link agent/platform)
sallyport_module(agent/app USES agent/doctor agent/system_keys agent/tunnel agent/link agent/runner agent/journal agent/policy agent/vault agent/platform
                 agent/connectors/file agent/connectors/archive agent/connectors/csv agent/connectors/json agent/connectors/fixed
                 agent/connectors/xml agent/connectors/command agent/connectors/http agent/connectors/ldap agent/connectors/mail
                 agent/connectors/sql agent/connectors/ssh agent/connectors/ftps agent/connectors/smb agent/connectors/amqp agent/connectors/kafka agent/connectors/listen)
sallyport_program(sallyport-agent agent/app)
sallyport_module(agent/smb USES shared/base agent/connectors/smb/wire PkgConfig::SMBCLIENT)
sallyport_program(sallyport-smb agent/smb)
set_target_properties(sallyport-smb PROPERTIES ENABLE_EXPORTS ON)  # its own connect() and writev() come before the C library's

# --- relay
sallyport_module(relay/domain USES shared/base)
sallyport_module(relay/store USES shared/base shared/async shared/crypto relay/domain)
sallyport_module(relay/store/migrations USES shared/base)
sallyport_module(relay/store/sqlite USES relay/store relay/store/migrations shared/crypto PkgConfig::SQLITE)
sallyport_module(relay/keys USES relay/store shared/base shared/async shared/crypto)
sallyport_module(relay/outbound USES shared/base shared/async shared/crypto PkgConfig::CURL)
sallyport_module(relay/keys/providers USES relay/keys relay/outbound shared/base shared/async shared/crypto pkcs11::headers)
sallyport_module(relay/audit USES shared/base shared/crypto relay/store)
sallyport_module(relay/erasure USES shared/base shared/async shared/crypto relay/store relay/keys relay/audit)
sallyport_module(relay/identity USES shared/base shared/crypto shared/tls relay/store relay/keys relay/audit)
sallyport_module(relay/jobs USES shared/base shared/async shared/recipe relay/store relay/domain relay/keys relay/audit)
sallyport_module(relay/archive USES shared/base shared/async shared/crypto shared/recipe relay/store relay/domain relay/keys relay/outbound
                 relay/audit relay/jobs)
sallyport_module(relay/tunnels USES shared/tunnel shared/link shared/async shared/base proto relay/store relay/domain asio)
sallyport_module(relay/authorizations USES shared/link shared/async shared/crypto shared/base proto)
sallyport_module(relay/gateway USES shared/link shared/tls shared/sealing proto relay/authorizations relay/tunnels relay/jobs relay/identity relay/store relay/audit)
sallyport_module(relay/webhooks USES shared/base shared/async shared/crypto shared/http shared/proof shared/recipe relay/store relay/keys
                 relay/jobs relay/audit)
sallyport_module(relay/api USES relay/webhooks shared/websocket shared/sealing relay/authorizations relay/tunnels shared/http relay/store relay/domain relay/identity relay/jobs relay/keys relay/audit
                 relay/erasure relay/archive shared/recipe)
sallyport_embed(relay_api docs/api/openapi.yaml openapi_yaml)
sallyport_module(relay/app USES relay/tunnels relay/webhooks relay/api relay/gateway relay/jobs relay/identity relay/keys relay/keys/providers relay/audit
                 relay/erasure relay/archive shared/recipe relay/store/sqlite shared/http)
sallyport_program(sallyport-relay relay/app)

sallyport_module(relay/cli/fixtures USES shared/base shared/recipe shared/execution)
sallyport_module(relay/cli USES relay/cli/fixtures shared/base shared/async shared/expr shared/recipe shared/crypto shared/sealing shared/link
                 shared/tunnel PkgConfig::CURL)
sallyport_program(sallyport relay/cli)
