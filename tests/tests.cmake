sallyport_tests(unit shared/base USES shared/base)
sallyport_tests(unit shared/async USES shared/async)
sallyport_tests(unit shared/crypto USES shared/crypto)
sallyport_tests(unit shared/sealing USES shared/sealing)
sallyport_tests(unit shared/tls USES shared/tls)
sallyport_tests(unit shared/mux USES shared/mux)
sallyport_tests(unit shared/link USES shared/link)
sallyport_tests(unit shared/tunnel USES shared/tunnel TIMEOUT 180)
if(TARGET unit_shared_tunnel)  # over a real pair of sessions
  target_sources(unit_shared_tunnel PRIVATE unit/shared/link/link_fixture.cc)
endif()
sallyport_tests(unit shared/websocket USES shared/websocket)
sallyport_tests(unit shared/http USES shared/http shared/crypto)
sallyport_tests(unit shared/zone USES shared/zone)
sallyport_tests(unit shared/expr USES shared/expr)
sallyport_tests(unit shared/recipe USES shared/recipe)
sallyport_tests(unit shared/execution USES shared/execution)
sallyport_tests(unit agent/platform USES agent/platform)
sallyport_tests(unit agent/policy USES agent/policy)
sallyport_tests(unit agent/vault USES agent/vault)
sallyport_tests(unit agent/system_keys USES agent/system_keys)
sallyport_tests(unit agent/journal USES agent/journal)
sallyport_tests(unit agent/connectors USES agent/connectors)
sallyport_tests(unit agent/connectors/certificate USES agent/connectors/certificate shared/crypto)
sallyport_tests(unit agent/runner USES agent/runner)
if(TARGET unit_agent_runner)  # jobs as scripts, from the tests of the core
  target_sources(unit_agent_runner PRIVATE unit/shared/execution/job_script.cc)
endif()
sallyport_tests(unit agent/link USES agent/link)
sallyport_tests(unit agent/smb USES agent/smb)
sallyport_tests(unit agent/tunnel USES agent/tunnel)
if(TARGET unit_agent_tunnel)  # over a real pair of sessions
  target_sources(unit_agent_tunnel PRIVATE unit/shared/link/link_fixture.cc)
endif()
sallyport_tests(unit agent/app USES agent/app)
if(TARGET unit_agent_app)  # the link's work over an engine of the runner's own tests
  target_sources(unit_agent_app PRIVATE unit/agent/runner/engine_bench.cc unit/shared/execution/job_script.cc
                 unit/shared/link/link_fixture.cc)
endif()
sallyport_tests(unit relay/domain USES relay/domain)
sallyport_tests(unit relay/keys USES relay/keys relay/store/sqlite)
sallyport_tests(unit relay/outbound USES relay/outbound)
sallyport_tests(unit relay/keys/providers USES relay/keys/providers)
sallyport_tests(unit relay/archive USES relay/archive relay/store/sqlite)
if(TARGET unit_relay_archive)  # over the keys' own world
  target_sources(unit_relay_archive PRIVATE unit/relay/keys/world.cc)
endif()
sallyport_tests(unit relay/audit USES relay/audit relay/store/sqlite)
sallyport_tests(unit relay/identity USES relay/identity relay/store/sqlite)
sallyport_tests(unit relay/jobs USES relay/jobs relay/store/sqlite)
sallyport_tests(unit relay/tunnels USES relay/tunnels)
if(TARGET unit_relay_tunnels)  # over a real pair of sessions
  target_sources(unit_relay_tunnels PRIVATE unit/shared/link/link_fixture.cc unit/shared/tunnel/tunnel_rig.cc)
endif()
sallyport_tests(unit relay/webhooks USES relay/webhooks)
sallyport_tests(unit relay/authorizations USES relay/authorizations)
if(TARGET unit_relay_authorizations)  # over a real pair of sessions
  target_sources(unit_relay_authorizations PRIVATE unit/shared/link/link_fixture.cc)
endif()
sallyport_tests(unit relay/gateway USES relay/gateway relay/store/sqlite)
sallyport_tests(unit relay/api USES relay/api relay/store/sqlite relay/jobs relay/keys TIMEOUT 600)
if(TARGET unit_relay_api)  # the API over the real HTTPS server
  target_sources(unit_relay_api PRIVATE unit/shared/http/https_client.cc unit/shared/http/running_server.cc)
endif()
sallyport_tests(unit relay/app USES relay/app)
if(TARGET unit_relay_app)  # init as a process; its jobs over the same world as those of relay/jobs
  target_sources(unit_relay_app PRIVATE unit/relay/jobs/world.cc)
  add_dependencies(unit_relay_app sallyport-relay)
endif()
sallyport_tests(unit relay/cli/fixtures USES relay/cli/fixtures)
sallyport_tests(unit relay/cli USES relay/cli relay/api relay/store/sqlite relay/jobs relay/keys TIMEOUT 180)
if(TARGET unit_relay_cli)  # the CLI against the real API over HTTPS; completion asks the program itself
  target_sources(unit_relay_cli PRIVATE unit/relay/api/world.cc unit/shared/http/running_server.cc)
  add_dependencies(unit_relay_cli sallyport)
endif()

sallyport_tests(contract keys USES relay/keys/providers relay/app TIMEOUT 300)
if(TARGET contract_keys)  # SoftHSM, with faults in front of it
  add_library(faulty_pkcs11 MODULE support/faulty_pkcs11/faulty_pkcs11.cc)
  target_link_libraries(faulty_pkcs11 PRIVATE pkcs11::headers)
  target_compile_definitions(contract_keys PRIVATE FAULTY_PKCS11="$<TARGET_FILE:faulty_pkcs11>")
  add_dependencies(contract_keys faulty_pkcs11)
endif()
sallyport_tests(contract archive USES relay/archive relay/store/sqlite TIMEOUT 300)
if(TARGET contract_archive)  # a bucket that verifies signatures, over the keys' own world
  target_sources(contract_archive PRIVATE contract/keys/key_server.cc unit/relay/keys/world.cc)
endif()
sallyport_tests(contract store USES relay/store/sqlite relay/store TIMEOUT 300)
sallyport_tests(contract connectors/certificate USES agent/connectors/certificate shared/crypto)
sallyport_tests(contract connectors/file USES agent/connectors/file)
sallyport_tests(contract connectors/archive USES agent/connectors/archive agent/connectors/file)
sallyport_tests(contract connectors/csv USES agent/connectors/csv agent/connectors/file)
sallyport_tests(contract connectors/json USES agent/connectors/json)
sallyport_tests(contract connectors/fixed USES agent/connectors/fixed)
sallyport_tests(contract connectors/xml USES agent/connectors/xml)
sallyport_tests(contract connectors/command USES agent/connectors/command)
sallyport_tests(contract connectors/ssh USES agent/connectors/ssh)
sallyport_tests(contract connectors/ftps USES agent/connectors/ftps shared/crypto)
sallyport_tests(contract connectors/smb USES agent/connectors/smb TIMEOUT 180)
if(TARGET contract_connectors_smb)  # files of servers are a program's work
  add_dependencies(contract_connectors_smb sallyport-smb)
endif()
sallyport_tests(contract connectors/sql USES agent/connectors/sql agent/connectors/json TIMEOUT 300)
sallyport_tests(contract connectors/http USES agent/connectors/http)

sallyport_tests(contract connectors/ldap USES agent/connectors/ldap shared/crypto TIMEOUT 180)

sallyport_tests(contract connectors/amqp USES agent/connectors/amqp shared/crypto librabbitmq::headers TIMEOUT 180)
sallyport_tests(contract connectors/kafka USES agent/connectors/kafka shared/crypto librdkafka::headers TIMEOUT 180)
sallyport_tests(contract connectors/listen USES agent/connectors/listen agent/runner shared/crypto)
if(TARGET contract_connectors_listen)  # into the real journal
  target_sources(contract_connectors_listen PRIVATE unit/agent/runner/engine_bench.cc unit/shared/execution/job_script.cc)
endif()
sallyport_tests(contract connectors/mail USES agent/connectors/mail TIMEOUT 180)

# The agent's runner with real connectors, driven by the fixtures of its own tests.
sallyport_tests(contract secrets USES agent/runner agent/connectors/command agent/connectors/csv agent/connectors/file
                agent/connectors/json agent/connectors/sql TIMEOUT 300)
if(TARGET contract_secrets)
  target_sources(contract_secrets PRIVATE unit/agent/runner/engine_bench.cc unit/shared/execution/job_script.cc)
endif()

sallyport_tests(sim mux USES shared/mux TIMEOUT 300)

sallyport_tests(link agent USES agent/link agent/app TIMEOUT 180)
sallyport_tests(link channels USES shared/link shared/tls)
if(TARGET link_channels)
  target_sources(link_channels PRIVATE unit/shared/link/link_fixture.cc unit/shared/tls/meeting.cc)
endif()
sallyport_tests(link relay USES agent/link agent/system_keys relay/gateway relay/store/sqlite TIMEOUT 180)
if(TARGET link_relay)  # both real sides: the relay's identity services, the agent's link
  target_sources(link_relay PRIVATE unit/relay/identity/world.cc link/agent/tinyproxy.cc unit/shared/tls/meeting.cc)
endif()
sallyport_tests(link doctor USES agent/app agent/link relay/gateway relay/store/sqlite TIMEOUT 120)
if(TARGET link_doctor)  # an agent's examinations of the way to the real gateway
  target_sources(link_doctor PRIVATE link/relay/gateway_rig.cc unit/relay/identity/world.cc link/agent/tinyproxy.cc)
endif()
sallyport_tests(link jobs USES agent/link agent/runner relay/gateway relay/store/sqlite TIMEOUT 180)
if(TARGET link_jobs)  # the agent's engine on its link to the real gateway
  target_sources(link_jobs PRIVATE link/relay/gateway_rig.cc unit/relay/identity/world.cc unit/agent/runner/engine_bench.cc
                 unit/shared/execution/job_script.cc)
endif()
sallyport_tests(link tunnels USES agent/link agent/tunnel relay/gateway relay/tunnels relay/store/sqlite TIMEOUT 180)
if(TARGET link_tunnels)
  target_sources(link_tunnels PRIVATE link/relay/gateway_rig.cc unit/relay/identity/world.cc unit/shared/tunnel/tunnel_rig.cc
                 unit/shared/link/link_fixture.cc)
endif()
sallyport_tests(link identity USES agent/link agent/runner agent/tunnel relay/gateway relay/tunnels relay/store/sqlite TIMEOUT 180)
if(TARGET link_identity)  # jobs and tunnels over links whose certificates change
  target_sources(link_identity PRIVATE link/relay/gateway_rig.cc unit/relay/identity/world.cc unit/agent/runner/engine_bench.cc
                 unit/shared/execution/job_script.cc link/jobs/working_agent.cc unit/shared/tunnel/tunnel_rig.cc unit/shared/link/link_fixture.cc)
endif()

sallyport_tests(sim runner USES shared/execution TIMEOUT 300)
sallyport_tests(sim leases USES agent/runner relay/jobs TIMEOUT 300)
