if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR "GCC ${CMAKE_CXX_COMPILER_VERSION} silently miscompiles co_await expressions (double destruction of temporaries). "
                      "Use clang 19: cmake --preset dev")
endif()
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Debug)
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

option(SALLYPORT_FUZZ "Build the libFuzzer targets instead of the programs' tests" OFF)
set(SALLYPORT_SANITIZE "" CACHE STRING "Sanitizers for the whole build, as -fsanitize= takes them")

find_program(CCACHE ccache)
if(CCACHE)
  # Objects are shared between build folders: neither the folder's name nor the debug path is part of the key.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Werror -Wno-missing-field-initializers
                    "$<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>" -fno-omit-frame-pointer)
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  # Line tables are enough for sanitizer reports and keep objects and links small.
  add_compile_options(-O1 -gline-tables-only)
  add_compile_definitions(_GLIBCXX_ASSERTIONS)  # an empty optional, or an index out of range, ends the test that reads it
  string(REPLACE "-g" "" CMAKE_CXX_FLAGS_DEBUG "${CMAKE_CXX_FLAGS_DEBUG}")
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-fstack-protector-strong -D_FORTIFY_SOURCE=2 -ffunction-sections -fdata-sections)
  add_link_options(-Wl,--gc-sections -Wl,-z,relro,-z,now -pie)
endif()
if(SALLYPORT_SANITIZE)
  add_compile_options(-fsanitize=${SALLYPORT_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SALLYPORT_SANITIZE})
endif()
if(SALLYPORT_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(-fuse-ld=lld)
endif()

include_directories(${CMAKE_SOURCE_DIR})
add_compile_definitions(SALLYPORT_VERSION="${PROJECT_VERSION}")
