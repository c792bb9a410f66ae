# Warnings and sanitizers as interface targets, so that no flag is global.
set(SLIPWAY_SANITIZE "" CACHE STRING "Comma list for -fsanitize=, e.g. address,undefined")
option(SLIPWAY_WERROR "Treat warnings as errors" OFF)

add_library(slipway_warnings INTERFACE)
target_compile_options(slipway_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
# A designated initialiser that leaves members to their defaults is our way to write options.
target_compile_options(slipway_warnings INTERFACE -Wno-missing-field-initializers)
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
