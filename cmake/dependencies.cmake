find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(Protobuf REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(LIBPQ REQUIRED libpq)
pkg_check_modules(LIBMARIADB REQUIRED libmariadb)
pkg_check_modules(LDAP REQUIRED ldap)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(P11 REQUIRED p11-kit-1)
pkg_check_modules(EXPAT REQUIRED expat)
pkg_check_modules(ZLIB REQUIRED zlib)
pkg_check_modules(ZSTD REQUIRED libzstd)
find_package(Catch2 2.13 REQUIRED)
include(cmake/libssh2.cmake)

# Client libraries and those of formats are loaded while the agent runs (agent/platform/shared_library.h): their headers only.
foreach(library libpq libmariadb ldap expat zlib zstd)
  string(TOUPPER ${library} found)
  add_library(${library}_headers INTERFACE)
  add_library(${library}::headers ALIAS ${library}_headers)
  target_include_directories(${library}_headers SYSTEM INTERFACE ${${found}_INCLUDE_DIRS})
endforeach()

# So does the agent with libcurl, which relay and CLI link.
add_library(libcurl_headers INTERFACE)
add_library(libcurl::headers ALIAS libcurl_headers)
target_include_directories(libcurl_headers SYSTEM INTERFACE ${CURL_INCLUDE_DIRS})

# Modules of PKCS#11 are loaded while the program runs (relay/keys/providers/pkcs11_module.h): the standard's header only.
add_library(pkcs11_headers INTERFACE)
add_library(pkcs11::headers ALIAS pkcs11_headers)
target_include_directories(pkcs11_headers SYSTEM INTERFACE ${P11_INCLUDE_DIRS})

# Asio and Beast, their non-template code compiled once, in shared/async and relay/http.
add_library(asio INTERFACE)
target_compile_definitions(asio INTERFACE BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_BEAST_SEPARATE_COMPILATION)
target_link_libraries(asio INTERFACE Boost::headers Threads::Threads)
