--- How much the specs of spec/reliability do: little in `make test`, all of it in `make soak`, which
--- sets SOAK_REPORT to the file that gathers what they have measured.

local size = {}

local report = os.getenv("SOAK_REPORT")

--- One of two amounts.
function size.of(short, full)
	return report and full or short
end

--- Notes a figure for the table at the end of `make soak`: what was measured, in the words of a
--- reader who sees nothing else, and the value with its unit.
function size.note(what, format, ...)
	if report then
		local file = assert(io.open(report, "ab"))
		file:write(what, "\t", format:format(...), "\n")
		file:close()
	end
end

return size
