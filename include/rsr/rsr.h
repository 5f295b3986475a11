// Everything: matrices (matrix.h, linear.h) and language models (engine.h).
#pragma once

#include <rsr/engine.h>
#include <rsr/linear.h>
#include <rsr/matrix.h>
#include <rsr/status.h>
#include <rsr/version.h>
