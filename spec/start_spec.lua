--- How a script's loop starts, each way in a process of its own.

local process = require "spec.support.shell"

local PLAIN_51 = _VERSION == "Lua 5.1" and not rawget(_G, "jit")
--- Its `arg` is not there before the script begins.
local LATE_ARG = _VERSION < "Lua 5.3" and not rawget(_G, "jit")

local NEVER_RUN = "silly: the program ended, but its tasks never ran: start it with `silly script.lua`, "
	.. "or call silly.run() at its end\n"

--- Prints "begun", and "ran" once the loop has run.
local BODY = [[
local task, time = require "silly.task", require "silly.time"
task.fork(function()
	time.sleep(5)
	print "ran"
end)
print "begun"
]]

local function ran(result, status)
	assert.equal("", result.err)
	assert.equal("begun\nran\n", result.out)
	assert.equal(status or 0, result.status)
end

local function never_ran(result)
	assert.equal(NEVER_RUN, result.err:sub(-#NEVER_RUN)) -- 5.1 greets on stderr
	assert.matches("begun\n", result.out, 1, true)
	assert.is_nil(result.out:find("ran\n", 1, true))
	assert.equal(0, result.status)
end

teardown(process.clean)

describe("the loop starts by itself", function()
	it("when the main chunk of a script ends", function()
		ran(process.script(BODY))
	end)

	it("when the main chunk ends with a tail call", function()
		ran(process.script("local function main() " .. BODY .. " end return main()"))
		ran(process.script("local function main(n) if n > 0 then return main(n - 1) end "
			.. BODY .. " end return main(9)"))
	end)

	it("when the tail call is another module's", function()
		process.write("app.lua", "return function() " .. BODY .. " end")
		ran(process.script 'return require("app")()')
	end)

	it("when a C function is called last", function()
		local result = process.script(BODY .. "return print 'tail'")
		if rawget(_G, "jit") then
			assert.equal(NEVER_RUN, result.err) -- LuaJIT's hook does not see this
		else
			assert.equal("begun\ntail\nran\n", result.out)
		end
	end)

	it("for a script on standard input", function()
		ran(process.command(process.lua .. " -", BODY))
	end)

	it("for a script with arguments and options", function()
		ran(process.script("assert(... == 'one' and arg[2] == 'two') " .. BODY, "one two"))
		process.write("script.lua", BODY)
		ran(process.command(process.lua .. " -e 'x = 1' script.lua"))
		if LATE_ARG then
			return -- it does not tell the script's name before the script begins
		end
		ran(process.command(process.lua .. " -lsilly.task script.lua"))
		ran(process.command(process.lua .. " script.lua", nil, "LUA_INIT='require [[silly]]'"))
	end)

	it("not before the end: functions that return to C code meanwhile are no end", function()
		ran(process.script([[
			require "silly"
			local function identity(x) return x end
			pcall(identity, 1)
			table.sort({ 2, 1 }, function(a, b) return a < b end)
			dofile "nothing.lua"
			if rawget(_G, "jit") or _VERSION ~= "Lua 5.1" then
				coroutine.wrap(pcall)(identity)
			end
		]] .. BODY))
	end)

	it("when a coroutine of the script's own required silly", function()
		if PLAIN_51 then
			return -- the main thread is out of reach there
		end
		ran(process.script("coroutine.wrap(function() require 'silly' coroutine.yield() end)() " .. BODY))
	end)

	it("and leaves the hook: tasks may use coroutines and callbacks of all kinds", function()
		local result = process.script [[
			local task, time = require "silly.task", require "silly.time"
			task.fork(function()
				local sum = 0
				for value in coroutine.wrap(function() for i = 1, 100 do coroutine.yield(i) end end) do
					sum = sum + value
					time.sleep(0)
				end
				print(sum)
				print((("abc"):gsub(".", function(c)
					return coroutine.wrap(function() coroutine.yield(c:upper()) end)()
				end)))
				print((pcall(string.gsub, "x", "x", function() time.sleep(1) end)))
				print(coroutine.resume(coroutine.create(function(...) coroutine.yield(...) end), "C"))
				if _VERSION ~= "Lua 5.1" or jit then
					print(pcall(function() time.sleep(1) return "waited" end))
				else
					print "true\twaited"
				end
				for _ = 1, 100 do
					task.fork(function() time.sleep(1) end)
				end
				print(debug.gethook())
			end)
		]]
		assert.same({ "5050\nABC\nfalse\ntrue\tC\ntrue\twaited\nnil", "" },
			{ result.out:match("^(.-nil)"), result.err })
	end)

	it("with coroutines that do not keep the hook", function()
		local result = process.script([[
			local task = require "silly.task"
			task.fork(function() print(debug.gethook()) end)
		]])
		assert.equal("nil", result.out:match("%S+"))
	end)

	setup(function()
		process.write("nothing.lua", "return 1")
	end)
end)

describe("the loop does not start", function()
	it("after an error in the main chunk, which only the interpreter tells", function()
		local result = process.script(BODY .. "error 'boom'")
		assert.equal(1, result.status)
		assert.equal("begun\n", result.out)
		assert.matches("script%.lua:7: boom\nstack traceback:", result.err)
		if not rawget(_G, "jit") then
			assert.is_nil(result.err:find("never ran", 1, true))
		end
	end)

	it("under a debug hook of the script's own, set before or after", function()
		local hook = "local hook = function() end debug.sethook(hook, 'l') "
		never_ran(process.script(hook .. BODY .. "assert(debug.gethook() == hook)"))
		never_ran(process.script("require 'silly' " .. hook .. BODY .. "assert(debug.gethook() == hook)"))
		local result = process.script("require 'silly' " .. hook .. BODY
			.. "require 'silly'.run() assert(debug.gethook() == hook)")
		ran(result)
	end)

	it("under lua -e", function()
		process.write("script.lua", BODY)
		never_ran(process.command(process.lua .. " -e 'dofile [[script.lua]] assert(not debug.gethook())'"))
	end)

	it("in a REPL, also one that follows a script or reads a terminal", function()
		process.write("script.lua", BODY)
		never_ran(process.command(process.lua .. " -i", "dofile 'script.lua' assert(not debug.gethook())\n"))
		local result = process.command(process.lua .. " -i script.lua", "print 'prompt'\n")
		never_ran(result)
		assert.matches("prompt", result.out)
		result = process.command(("script -qec '%s' /dev/null"):format(process.lua),
			"dofile 'script.lua'\nprint(debug.gethook())\nos.exit(0)\n")
		if result.status == 0 then -- where there is a program `script` at all
			assert.matches("begun", result.out)
			assert.is_nil(result.out:find("ran\r?\n"))
		end
	end)

	it("under a test runner", function()
		process.write("tiny_spec.lua", "it('works', function() " .. BODY
			.. " assert.is_nil(debug.gethook()) assert.is_true(true) end)")
		local result = process.command(("'%s/tools/busted' %s --output=plainTerminal tiny_spec.lua"):format(
			process.root, process.lua))
		assert.matches("1 success", result.out)
		assert.is_nil(result.out:find("ran\n", 1, true))
		assert.equal(0, result.status)
	end)

	it("but is asked for with silly.run", function()
		process.write("script.lua", BODY .. "require 'silly'.run() print 'after'")
		local result = process.command(process.lua .. " -e 'dofile [[script.lua]]'")
		assert.equal("begun\nran\nafter\n", result.out)
		assert.equal("", result.err)
		result = process.script "require 'silly'.run(function() print(require 'silly.task'.running()) end)"
		assert.matches("^thread: ", result.out)
	end)

	it("and nothing is said when nothing was to be done", function()
		local result = process.command(process.lua .. " -e 'require [[silly.net.cluster]]'")
		assert.same({ status = 0, out = "", err = "" }, result)
	end)
end)

describe("the library", function()
	it("needs neither debug nor os nor io", function()
		local body = [[
			local print, coroutine_, no_os = print, coroutine, not os
			local task, time = require "silly.task", require "silly.time"
			local silly, cluster, logger = require "silly", require "silly.net.cluster", require "silly.logger"
			silly.run(function()
				cluster.serve { marshal = function(_, c, b) return c, b end,
					unmarshal = function(_, _, d) return d end, call = function(_, _, b) return b end }
				local peer = cluster.connect(assert(cluster.listen "127.0.0.1:0").addr)
				print(cluster.call(peer, 1, "answer"))
				task.fork(error, "on purpose")
				time.sleep(1)
				logger.info("line")
				print(silly.pcall(error, "x"))
				silly.error("y")
				task.inspect()
				silly.exit(3)
			end)
			print "end"
		]]
		for _, missing in ipairs { "debug", "io", "os", "debug, io, os" } do
			local nils = missing:gsub("%w+", "nil")
			local result = process.script(missing .. " = " .. nils .. " " .. body)
			assert.matches("^answer\tnil\nfalse\terror: ", result.out)
			assert.is_nil(result.err:find("script.lua:%d+: in main"))
			local ends = missing:find("os") and 0 or 3
			assert.equal(ends, result.status)
		end
	end)

	it("starts by itself though the script takes the libraries away later", function()
		ran(process.script(BODY .. "debug, io, os = nil, nil, nil"))
	end)

	it("refuses Lua files of another version", function()
		local result = process.script [[
			require("silly.core").version = "0.0.9"
			print(pcall(require, "silly"))
		]]
		assert.matches("the Lua files are version [%d.]+ but the native library %(silly/core%) is version 0%.0%.9",
			result.out)
	end)

	it("logs a task's error whatever module was required", function()
		local result = process.script "require('silly.task').fork(error, 'boom')"
		assert.matches("^%d+%-%d+%-%d+ %d+:%d+:%d+ %x+ E %[silly%] task failed: [^\n]*boom\n", result.err)
		assert.equal(0, result.status)
	end)
end)
