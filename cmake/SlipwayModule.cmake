include(GoogleTest)
# slipway_add_module(NAME scheduler SOURCES a.cc b.cc DEPENDS base platforms LIBRARIES TBB::tbb)
# One static library a module. DEPENDS are slipway modules and may only follow the arrows of
# docs/architecture.md; LIBRARIES are third-party and stay private to the module.
function(slipway_add_module)
  cmake_parse_arguments(M "" "NAME" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
  add_library(slipway_${M_NAME} STATIC ${M_SOURCES})
  add_library(slipway::${M_NAME} ALIAS slipway_${M_NAME})
  target_include_directories(slipway_${M_NAME} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  list(TRANSFORM M_DEPENDS PREPEND slipway::)
  target_link_libraries(slipway_${M_NAME}
    PUBLIC ${M_DEPENDS} slipway::sanitizers
    PRIVATE slipway::warnings ${M_LIBRARIES})
endfunction()

# What every test includes is compiled once, not once a program: a precompiled header is more than 100 MB.
function(slipway_add_test_headers)
  file(CONFIGURE OUTPUT test_headers.cc CONTENT "")
  add_library(slipway_test_headers OBJECT ${CMAKE_CURRENT_BINARY_DIR}/test_headers.cc)
  target_link_libraries(slipway_test_headers PRIVATE GTest::gmock slipway::sanitizers slipway::warnings)
  target_precompile_headers(slipway_test_headers PRIVATE <gmock/gmock.h> <gtest/gtest.h> <string> <vector>)
endfunction()

# slipway_add_test(NAME base_test SOURCES x_test.cc DEPENDS base LABEL unit)
# One test program a module; its cases are registered one by one.
function(slipway_add_test)
  cmake_parse_arguments(T "" "NAME;LABEL" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
  if(NOT T_LABEL)
    set(T_LABEL unit)
  endif()
  add_executable(${T_NAME} ${T_SOURCES})
  target_include_directories(${T_NAME} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  list(TRANSFORM T_DEPENDS PREPEND slipway::)
  target_link_libraries(${T_NAME} PRIVATE
    ${T_DEPENDS} ${T_LIBRARIES} GTest::gmock GTest::gtest_main slipway::sanitizers slipway::warnings)
  target_precompile_headers(${T_NAME} REUSE_FROM slipway_test_headers)
  gtest_discover_tests(${T_NAME} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS ${T_LABEL} TIMEOUT 120)
endfunction()
