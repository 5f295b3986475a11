// Everything: matrices (matrix.h, linear.h), also on a GPU (device.h), language models (engine.h)
// and how well they predict (perplexity.h).
#pragma once

#include <rsr/device.h>
#include <rsr/engine.h>
#include <rsr/linear.h>
#include <rsr/matrix.h>
#include <rsr/perplexity.h>
#include <rsr/status.h>
#include <rsr/version.h>
