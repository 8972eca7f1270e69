@echo off
rem The verbs of manage.py in Docker: docker.bat VERB. Elsewhere: docker.sh, line for line the same; tests compare them.
rem A verb is a label; what is written beside it is its help. Its arguments are the verb and what follows it.
setlocal EnableExtensions DisableDelayedExpansion
set "ORIGIN=%CD%"
set "SCRIPT=%~f0"
cd /d "%~dp0"
call :main %*
exit /b %errorlevel%

:verb_fresh Delete all data of this project, build the image and start anew in the background.
call :everything down --volumes --remove-orphans || exit /b
call :verb_build || exit /b
call :verb_start
exit /b

:verb_up Run in the foreground with the log on the screen; Ctrl-C stops everything.
call :compose up
exit /b

:verb_start Run in the background; returns when the service is ready, else says why it is not.
call :compose up -d || exit /b
call :ready
exit /b

:verb_stop Stop the service and everything that belongs to it.
call :everything stop
exit /b

:verb_restart Stop, then start in the background.
call :verb_stop || exit /b
call :verb_start
exit /b

:verb_status Show every container with its state; exit status 1 if the service is not ready.
call :compose ps || exit /b
call :compose exec -T web python -m catalog.health.probe
exit /b

:verb_logs Show the log of all containers, or of one: logs web; -f goes on showing new lines.
call :shift %*
call :compose logs --tail=40 %REST%
exit /b

:verb_build Build the image.
call :compose build migrate
exit /b

:verb_clean Stop, and delete this project's containers, networks and volumes; --yes does not ask.
call :confirm %* || exit /b
call :everything down --volumes --remove-orphans
exit /b

:verb_test Run the tests in parallel; arguments are pytest's.
call :tests %*
exit /b

:verb_test-verbose Run the tests, showing each HTTP request and response.
call :tests %*
exit /b

:verb_test-debug As test-verbose, and the last 50 lines of the server's log.
call :tests %*
exit /b

:verb_demo Walk through everything with real requests and answers; the service stays up.
call :shift %*
call :private_networks
call :verb_start || exit /b
call :catalog demo --url http://web:5000 --shown "%URL%" --receiver cli %REST%
exit /b

:verb_init-db Add 20 sample products; those that are there already are left as they are.
call :catalog %*
exit /b

:verb_import Import products from FILE into the running service: import FILE [OPTIONS]
call :with_file %*
exit /b

:verb_export Export the running service's products to FILE, or - for the screen: export FILE [OPTIONS]
call :with_file %*
exit /b

:verb_backup Write the whole database to FILE, as of one moment, while the service works.
call :place %* || exit /b
call :compose exec -T postgres pg_dump --format=custom --no-owner --no-privileges >"%FILE%.part" || exit /b
move /y "%FILE%.part" "%FILE%" >nul
exit /b

:verb_restore Put what backup wrote to FILE into the empty database of the stopped service: restore FILE [--force]
call :place %* || exit /b
call :catalog begin-restore %REST% || exit /b
call :compose exec -T postgres pg_restore --exit-on-error --single-transaction --no-owner --no-privileges --dbname=connect_timeout=10 <"%FILE%"
if errorlevel 1 (
    call :catalog finish-restore --failed
    exit /b 1
)
call :catalog finish-restore
exit /b

:verb_transform Apply a transform: transform add 5 7; --list shows them all.
call :alone %*
exit /b

:verb_webhooks Webhooks: list, test, tail, replay, and receive, a receiver for trying things out.
call :catalog %*
exit /b

:verb_orders Orders: seed, consume, dead and requeue.
call :catalog %*
exit /b

:verb_keys The keys of the API.
call :catalog %*
exit /b

:verb_users The users of the console.
call :catalog %*
exit /b

:verb_graphql Open GraphiQL, a page for trying out GraphQL, in the browser.
call :browse /graphql
exit /b

:verb_shell Open a Python shell with the application loaded.
call :catalog %*
exit /b

:verb_db Migrations: db upgrade, db downgrade, db current, and all else of flask db.
call :catalog %*
exit /b

:verb_routes List every URL the service answers.
call :alone %*
exit /b

:verb_help List the verbs, one line each.
echo docker.bat VERB
echo(
for /f "tokens=2,* delims=_ " %%A in ('findstr /b /c:":verb_" "%SCRIPT%"') do call :help_line "%%A" "%%B"
exit /b 0

rem What the verbs are made of.

:compose
%COMPOSE% %*
exit /b %errorlevel%

:everything
call :compose --profile nginx --profile order-list --profile cli --profile test %*
exit /b

:catalog
call :compose run --rm %TTY% --use-aliases cli %*
exit /b

:alone
call :compose run --rm %TTY% --no-deps cli %*
exit /b

:tests
call :compose build test || exit /b
call :compose run --rm %TTY% test %*
exit /b

:with_file
set "FIRST=%~2"
if not defined FIRST goto alone
if "%FIRST:~0,1%"=="-" goto alone
call :shift %*
call :shift %REST%
pushd "%ORIGIN%"
for %%F in ("%FIRST%") do (
    set "FOLDER=%%~dpF"
    set "NAME=%%~nxF"
)
popd
call :compose run --rm %TTY% --no-deps --volume "%FOLDER%:/files" cli "%~1" "/files/%NAME%" %REST%
exit /b

:place
if "%~2"=="" (
    >&2 echo Say which file: docker.bat %~1 FILE
    exit /b 2
)
call :shift %*
call :shift %REST%
pushd "%ORIGIN%"
for %%F in ("%~2") do set "FILE=%%~fF"
popd
exit /b 0

:private_networks
set "WEBHOOK_ALLOWED_NETWORKS=172.16.0.0/12,192.168.0.0/16,10.0.0.0/8"
exit /b 0

:ready
call :compose exec -T web python -m catalog.health.probe --wait 90
if errorlevel 1 (
    call :compose logs --tail=20 migrate web
    exit /b 1
)
for /f "delims=" %%A in ('%COMPOSE% port web 5000') do set "PUBLISHED=%%A"
set "URL=http://%PUBLISHED%"
call :loopback || exit /b
echo %URL%/
exit /b 0

:loopback
if "%PUBLISHED:~0,4%"=="127." exit /b 0
if "%PUBLISHED:~0,6%"=="[::1]:" exit /b 0
call :compose exec -T web sh -c "[ $CATALOG_ENV = production ]"
if errorlevel 1 (
    call :everything stop || exit /b
    >&2 echo The port is published on %PUBLISHED%, and the service is open: set CATALOG_ENV=production or PUBLISH_ADDRESS=127.0.0.1.
    exit /b 1
)
exit /b 0

:browse
for /f "delims=" %%A in ('%COMPOSE% port web 5000') do (
    echo http://%%A%~1
    start "" "http://%%A%~1"
)
exit /b 0

:confirm
if "%~2"=="--yes" exit /b 0
rem timeout.exe refuses where there is nobody to type
%SystemRoot%\System32\timeout.exe /t 0 >nul 2>nul || exit /b 0
set "ANSWER="
set /p "ANSWER=Delete this project's containers and all their data? [y/N] "
if /i "%ANSWER:~0,1%"=="y" exit /b 0
exit /b 1

:require_docker
docker info >nul 2>nul || (
    call :refuse "Docker is not installed or not running" %1
    exit /b 1
)
set "TTY=-T"
%SystemRoot%\System32\timeout.exe /t 0 >nul 2>nul && set "TTY="
set "COMPOSE=docker compose"
docker compose version >nul 2>nul && exit /b 0
set "COMPOSE=docker-compose"
docker-compose version >nul 2>nul && exit /b 0
call :refuse "Docker is here, but not its compose" %1
exit /b 1

:refuse
>&2 echo %~1. Without Docker: python3 manage.py %2
exit /b 1

:settle
if not exist .env type nul >.env
call :setting COMPOSE_PROJECT_NAME catalog- 8
call :setting POSTGRES_PASSWORD "" 32
call :setting REDIS_PASSWORD "" 32
exit /b

:setting
findstr /b /c:"%~1=" .env >nul && exit /b 0
set "MADE=[guid]::NewGuid().ToString('N').Substring(0,%~3)"
for /f "usebackq" %%R in (`powershell -NoProfile -Command "%MADE%"`) do (
    >>.env echo(
    >>.env echo %~1=%~2%%R
)
findstr /b /c:"%~1=" .env >nul
exit /b

:shift
rem REST is what follows the first argument
set "REST="
:shift_on
shift
set REST=%REST% %1
if not "%~2"=="" goto shift_on
exit /b 0

:help_line
set "NAME=%~1              "
echo   %NAME:~0,13% %~2
exit /b 0

:main
set "VERB=%~1"
if not defined VERB set "VERB=help"
if "%VERB%"=="-h" set "VERB=help"
if "%VERB%"=="--help" set "VERB=help"
findstr /b /l /c:":verb_%VERB% " "%SCRIPT%" >nul 2>nul || (
    >&2 echo There is no verb `%VERB%`. docker.bat help lists them.
    exit /b 2
)
if not "%VERB%"=="help" (
    call :require_docker %VERB% || exit /b
    call :settle || exit /b
)
call :verb_%VERB% %*
exit /b
