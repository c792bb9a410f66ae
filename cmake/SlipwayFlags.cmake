# Warnings and sanitizers as interface targets, so that no flag is global.
set(SLIPWAY_SANITIZE "" CACHE STRING "Comma list for -fsanitize=, e.g. address,undefined")
option(SLIPWAY_WERROR "Treat warnings as errors" OFF)

add_library(slipway_warnings INTERFACE)
target_compile_options(slipway_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
# A designated initialiser that leaves members to their defaults is our way to write options.
target_compile_options(slipway_warnings INTERFACE -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # g++ 12 sees overlaps and overruns in "literal" + std::string that are not there (GCC bug 105329, 105651).
  target_compile_options(slipway_warnings INTERFACE -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow)
endif()
if(SLIPWAY_WERROR)
  target_compile_options(slipway_warnings INTERFACE -Werror)
endif()
add_library(slipway::warnings ALIAS slipway_warnings)

add_library(slipway_sanitizers INTERFACE)
if(SLIPWAY_SANITIZE)
  target_compile_options(slipway_sanitizers INTERFACE
    -fsanitize=${SLIPWAY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(slipway_sanitizers INTERFACE -fsanitize=${SLIPWAY_SANITIZE})
endif()
add_library(slipway::sanitizers ALIAS slipway_sanitizers)

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
