# What `cmake --install` lays down: the library, its headers, the command, and the package by which
# other projects find it: find_package(rsr), then link rsr::rsr.
include(CMakePackageConfigHelpers)

set(RSR_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/rsr)
install(TARGETS rsr EXPORT rsr-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS rsr_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY include/rsr DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT rsr-targets NAMESPACE rsr:: DESTINATION ${RSR_PACKAGE_DIR})
configure_package_config_file(cmake/rsr-config.cmake.in ${PROJECT_BINARY_DIR}/rsr-config.cmake
                              INSTALL_DESTINATION ${RSR_PACKAGE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/rsr-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/rsr-config.cmake ${PROJECT_BINARY_DIR}/rsr-config-version.cmake
        DESTINATION ${RSR_PACKAGE_DIR})
