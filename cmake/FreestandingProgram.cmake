# slipway_add_freestanding_program(NAME n SOURCE main.cc): a program without a library, made by the project's compiler, since
# it runs in any root; its bytes are in bytes.inc of the current binary directory (target n_bytes). Whatever else is asked of
# the project (sanitizers, coverage, hardening) needs a library, so these flags, being last, undo it.
function(slipway_add_freestanding_program)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;SOURCE" "")
  string(REPLACE "--coverage" "" CMAKE_CXX_FLAGS "${CMAKE_CXX_FLAGS}")  # which g++ has no opposite for
  add_executable(${arg_NAME} ${arg_SOURCE})
  target_include_directories(${arg_NAME} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${arg_NAME} PRIVATE slipway::warnings)
  set_target_properties(${arg_NAME} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${arg_NAME} PRIVATE
    -O2 -ffreestanding -fno-builtin -fno-pic -fno-stack-protector -fno-exceptions -fno-rtti -fno-asynchronous-unwind-tables
    -fno-lto -fno-sanitize=all)
  target_link_options(${arg_NAME} PRIVATE
    -static -nostdlib $<$<CXX_COMPILER_ID:GNU>:-no-pie> -s -fno-lto -fno-sanitize=all LINKER:-z,noseparate-code LINKER:--build-id=none)
  set(bytes ${CMAKE_CURRENT_BINARY_DIR}/bytes.inc)
  add_custom_command(OUTPUT ${bytes}
    COMMAND ${CMAKE_COMMAND} -D INPUT=$<TARGET_FILE:${arg_NAME}> -D OUTPUT=${bytes} -P ${PROJECT_SOURCE_DIR}/cmake/EmbedFile.cmake
    DEPENDS ${arg_NAME} ${PROJECT_SOURCE_DIR}/cmake/EmbedFile.cmake VERBATIM)
  add_custom_target(${arg_NAME}_bytes DEPENDS ${bytes})
endfunction()
