# libssh2::libssh2, at least 1.11: the system's, or Debian's newer source package as ./dev has fetched it, compiled here with the
# agent's own OpenSSL (docs/decisions/0042).
pkg_check_modules(LIBSSH2 QUIET IMPORTED_TARGET libssh2>=1.11)
if(LIBSSH2_FOUND)
  add_library(libssh2::libssh2 ALIAS PkgConfig::LIBSSH2)
  return()
endif()

set(SALLYPORT_LIBSSH2 ${CMAKE_BINARY_DIR}/../sources/libssh2 CACHE PATH "The source of libssh2")
if(NOT EXISTS ${SALLYPORT_LIBSSH2}/include/libssh2.h)
  message(FATAL_ERROR "libssh2 is older than 1.11 here, and there is no source of it in ${SALLYPORT_LIBSSH2}: run ./dev setup")
endif()
set(parts agent bcrypt_pbkdf chacha channel cipher-chachapoly comp crypt crypto global hostkey keepalive kex knownhost mac misc packet pem
          poly1305 publickey scp session sftp transport userauth userauth_kbd_packet version)
list(TRANSFORM parts PREPEND ${SALLYPORT_LIBSSH2}/src/)
list(TRANSFORM parts APPEND .c)
add_library(libssh2 STATIC ${parts})
add_library(libssh2::libssh2 ALIAS libssh2)
set_target_properties(libssh2 PROPERTIES PREFIX "")
target_include_directories(libssh2 SYSTEM PUBLIC ${SALLYPORT_LIBSSH2}/include)
# Without MD5 and all that needs it, DSA and the oldest ciphers: connections.yaml could not choose them anyway.
target_compile_definitions(libssh2 PRIVATE LIBSSH2_OPENSSL LIBSSH2_NO_MD5 LIBSSH2_NO_MD5_PEM LIBSSH2_NO_DSA LIBSSH2_NO_BLOWFISH
                           LIBSSH2_NO_RC4 LIBSSH2_NO_CAST LIBSSH2_NO_3DES LIBSSH2_NO_HMAC_RIPEMD HAVE_UNISTD_H HAVE_INTTYPES_H HAVE_SYS_SELECT_H
                           HAVE_SYS_UIO_H HAVE_SYS_SOCKET_H HAVE_SYS_IOCTL_H HAVE_SYS_TIME_H HAVE_SYS_UN_H HAVE_GETTIMEOFDAY HAVE_STRTOLL
                           HAVE_SNPRINTF HAVE_EXPLICIT_BZERO HAVE_POLL HAVE_SELECT HAVE_O_NONBLOCK)
target_compile_options(libssh2 PRIVATE -w)
target_link_libraries(libssh2 PUBLIC OpenSSL::Crypto)
