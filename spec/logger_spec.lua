local logger = require "silly.logger"
local trace = require "silly.trace"
local log = require "spec.support.log"
local process = require "spec.support.shell"

teardown(process.clean)

--- What one call writes.
local function line(name, ...)
	local ending = log.capture()
	logger[name](...)
	return ending()
end

--- The same without date, trace id, level and place.
local function text(...)
	return (line("error", ...):gsub("^%S+ %S+ %S+ %S+ %S+ ", ""):gsub("%s*$", ""))
end

describe("silly.logger", function()
	after_each(function()
		logger.setlevel(logger.INFO)
		trace.attach(nil)
	end)

	it("writes date, time, trace id, level, place and message", function()
		local pattern = "^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d (%x+) (%u) (%S+) (.-)%s*\n$"
		for name, letter in pairs { info = "I", warn = "W", error = "E", infof = "I", warnf = "W", errorf = "E" } do
			local id, level, place, message = line(name, "message"):match(pattern)
			assert.equal("0000000000000000", id)
			assert.equal(letter, level)
			assert.matches("logger_spec%.lua:%d+$", place)
			assert.equal("message", message)
		end
	end)

	it("names the line of its caller", function()
		local ending = log.capture()
		local here = debug.getinfo(1, "l").currentline
		logger.info("x")
		logger.infof("x")
		local text_of_both = ending()
		assert.matches("logger_spec.lua:" .. here + 1 .. " x", text_of_both, 1, true)
		assert.matches("logger_spec.lua:" .. here + 2 .. " x", text_of_both, 1, true)
	end)

	it("names no place where no Lua function called", function()
		local ending = log.capture()
		pcall(logger.info, "direct")
		assert.matches("^%S+ %S+ %x+ I direct%s*\n$", ending())
	end)

	it("carries the current task's trace id", function()
		trace.attach(0xabc)
		assert.matches(" 0000000000000abc I ", line("info", "x"), 1, true)
	end)

	it("begins at INFO and filters what is below its level", function()
		assert.equal(logger.INFO, logger.getlevel())
		assert.same({ 0, 1, 2, 3 }, { logger.DEBUG, logger.INFO, logger.WARN, logger.ERROR })
		local saved = logger.info
		for level = logger.DEBUG, logger.ERROR do
			logger.setlevel(level)
			assert.equal(level, logger.getlevel())
			for number, name in pairs { [0] = "debug", "info", "warn", "error" } do
				assert.equal(number >= level, line(name, "x") ~= "")
				assert.equal(number >= level, line(name .. "f", "x") ~= "")
			end
			local ending = log.capture()
			saved("x")
			assert.equal(level <= logger.INFO, ending() ~= "")
		end
	end)

	it("looks at no argument of a level it does not write", function()
		assert.equal("", line("debugf", "%d", "no number"))
		assert.equal("", line("debug", setmetatable({}, { __pairs = error })))
	end)

	it("refuses a level that is none and keeps its own", function()
		for _, wrong in ipairs { -1, 4, "x", 1.5, {} } do
			assert.is_false((pcall(logger.setlevel, wrong)))
		end
		assert.is_false((pcall(logger.setlevel)))
		assert.equal(logger.INFO, logger.getlevel())
		assert.is_true(line("info", "x") ~= "")
	end)

	it("returns nothing", function()
		local ending = log.capture()
		local count = select("#", logger.info("x")) + select("#", logger.infof("x"))
		ending()
		assert.equal(0, count)
	end)

	it("shows values as they are", function()
		assert.equal("text 5 true false", text("text", 5, true, false))
		assert.equal("nil nil", text(nil, nil))
		assert.equal("a\nb", text("a\nb"))
		assert.matches("^function: ", text(print))
		assert.equal(tostring(1.5), text(1.5))
		assert.equal("", text())
	end)

	it("shows tables with their keys, five levels deep", function()
		assert.equal("{}", text({}))
		assert.equal('{k="str",}', text({ k = "str" }))
		assert.equal('{[1]="a",[2]=2,}', text({ "a", 2 }))
		assert.equal("{[true]=false,}", text({ [true] = false }))
		assert.equal("{a={b={c={d={e=,},},},},}", text({ a = { b = { c = { d = { e = { f = 1 } } } } } }))
		local cyclic = {}
		cyclic.self = cyclic
		assert.equal("{self={self={self={self={self=,},},},},}", text(cyclic))
		assert.matches("^{", text(setmetatable({}, { __tostring = function()
			return "hidden"
		end })))
	end)

	it("may be used by finalisers, whatever the loop is doing then", function()
		local result = process.script(("package.path = %q .. package.path\n"):format(process.root .. "/?.lua;") .. [[
			local silly, task, logger = require "silly", require "silly.task", require "silly.logger"
			local cluster, collector = require "silly.net.cluster", require "spec.support.collector"
			-- LuaJIT collects wherever compiled code is left: with such numbers it does nothing else.
			collector.set("pause", jit and 100 or 1)
			collector.set("stepmul", jit and 400 or 1000000)
			assert(logger.setoutput "/dev/null")
			local over = false
			local function log_at_every_collection()
				if over then
					return
				end
				local function finalise()
					logger.info("collected")
					log_at_every_collection()
				end
				if newproxy then
					getmetatable(newproxy(true)).__gc = finalise
				else
					setmetatable({}, { __gc = finalise })
				end
			end
			cluster.serve {
				marshal = function(_, cmd, body) return cmd, body end,
				unmarshal = function(_, _, data) return data end,
				call = function(_, _, body) return body end,
				accept = function(_, addr) assert(addr:find("^127%.0%.0%.1:%d+$")) end,
			}
			task.fork(function()
				local listener = cluster.listen("127.0.0.1:0")
				for _ = 1, 10 do
					log_at_every_collection()
				end
				for _ = 1, 200 do
					local peer = cluster.connect(listener.addr, { shared = false })
					assert(cluster.call(peer, 1, ("x"):rep(200)) == ("x"):rep(200))
					cluster.close(peer)
					local _, err = cluster.call(peer, 1, "late")
					assert(err == "peer closed", err)
				end
				over = true
				print("intact")
				silly.exit(0)
			end)
		]])
		assert.same({ 0, "intact\n" }, { result.status, result.out })
	end)

	it("T20: formats with all of string.format", function()
		assert.matches("x=5%s*\n$", line("infof", "x=%s", 5))
		assert.matches("x=5 y=007 z=1.50 %%%s*\n$", line("infof", "x=%d y=%03d z=%.2f %%", 5, 7, 1.5))
		assert.matches("x=5%s*\n$", line("infof", "x=%s", 5, "extra"))
		assert.is_false((pcall(logger.infof, "%s")))
		assert.is_false((pcall(logger.infof, "%d", "no number")))
	end)

	it("says which call has a value that its format does not take, or a level that is none", function()
		local ok, problem = pcall(function()
			logger.infof("%d", "x")
			error("not refused")
		end)
		assert.is_false(ok)
		local wanted = "spec/logger_spec.lua:%d+: logger.infof: bad argument #2 %(number expected, got string%)"
		assert.matches(wanted, problem)
		assert.error_matches(function()
			logger.setlevel("info")
		end, "the level must be logger.DEBUG, INFO, WARN or ERROR, got string \"info\"")
	end)

	it("shows what cannot be shown, too", function()
		local function raise()
			error("no")
		end
		local odd = setmetatable({ a = 1 }, { __tostring = raise, __pairs = raise, __index = raise })
		assert.matches(" {a=1,}\n$", line("info", odd))
		local userdata = io.tmpfile()
		local metatable = getmetatable(userdata)
		local before = metatable.__tostring
		metatable.__tostring = raise
		local shown = line("info", userdata)
		metatable.__tostring = before
		userdata:close()
		assert.matches("%(a userdata whose tostring fails%)\n$", shown)
	end)
end)
