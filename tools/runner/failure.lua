--- Tells the failures of a test, which luassert finds, from errors, and both from what a test says of
--- itself: that it is pending.

local failure = {}

local Failure = {
	__tostring = function(self)
		return tostring(self.message)
	end,
}
local Pending = {}

--- What luassert raises in place of a string. The levels are those of `error`.
local function raise(message, level)
	level = level or 1
	local _, placed = pcall(error, message, level + 2) -- with the place in front, if it is a string
	error(setmetatable({ message = placed }, Failure), level + 1)
end

--- Has a function of luassert's call `raise` where it calls `error`.
local function bind(callable)
	local call = debug.getmetatable(callable).__call
	local environment = setmetatable({ error = raise }, { __index = _G })
	if setfenv then -- luacheck: ignore 143
		setfenv(call, environment) -- luacheck: ignore 143
		return
	end
	local index = 1
	while debug.getupvalue(call, index) ~= "_ENV" do
		index = index + 1
	end
	debug.upvaluejoin(call, index, function()
		return environment
	end, 1)
end

--- Makes failures of what luassert raises from now on.
function failure.mark(luassert)
	bind(luassert)
	bind(luassert.is_true)
end

--- Ends the test that is running as pending.
function failure.pending(reason)
	error(setmetatable({ message = reason }, Pending), 0)
end

--- What a problem is: "failure", "error" or "pending".
function failure.kind(problem)
	local class = debug.getmetatable(problem)
	return class == Failure and "failure" or class == Pending and "pending" or "error"
end

--- What it says.
function failure.text(problem)
	if failure.kind(problem) == "error" then
		return tostring(problem)
	end
	return tostring(problem.message)
end

return failure
